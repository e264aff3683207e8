"""Folding batch normalisation: the same scores from fewer weights, and what must not be folded."""

import keras
import numpy as np
import pytest

from rsutils.compress.folding import fold_batch_norm
from rsutils.models.fields import networks
from tests.random_weights import with_random_weights


def norms(model):
    return [layer.name for layer in model.layers if "norm" in layer.name]


@pytest.mark.parametrize("kind", ["deepfm", "dnn", "nfm", "dcn"])
def test_scores_stay_and_norms_of_dense_layers_go(kind):
    config = networks.FieldConfig(kind, 30, 4, 6, hidden=(16, 8), batch_norm=True, dropout=0.1)
    model = with_random_weights(networks.build(keras, config))
    before = [weights.copy() for weights in model.get_weights()]
    folded = fold_batch_norm(model)
    ids = np.random.default_rng(0).integers(0, 30, (100, 4))
    expected, found = model(ids).numpy(), folded(ids).numpy()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    # What NFM normalises are pooled factors, which no dense layer makes.
    assert norms(folded) == (["bi_norm"] if kind == "nfm" else [])
    assert [each.name for each in folded.inputs] == ["features"]
    for one, two in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, two)


def test_folding_by_hand():
    x = keras.Input((1,))
    hidden = keras.layers.Dense(1, use_bias=False, name="hidden")
    norm = keras.layers.BatchNormalization(epsilon=0.0, name="norm")
    model = keras.Model(x, norm(hidden(x)))
    hidden.set_weights([np.float32([[3]])])
    norm.set_weights([np.float32([value]) for value in (2, 5, 1, 4)])  # gamma, beta, mean, variance
    kernel, bias = fold_batch_norm(model).get_layer("hidden").get_weights()
    assert kernel.item() == 3  # 3 * 2 / 2
    assert bias.item() == 4  # 5 - 1 * 2 / 2


def test_what_others_read_or_a_relu_has_changed_stays():
    def model(activation, read_twice):
        x = keras.Input((3,), name="x")
        hidden = keras.layers.Dense(3, activation=activation, name="hidden")(x)
        norm = keras.layers.BatchNormalization(name="norm")(hidden)
        outputs = keras.layers.Add()([norm, hidden]) if read_twice else norm
        return with_random_weights(keras.Model(x, outputs))

    x = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    for each in (model("relu", False), model(None, True)):
        folded = fold_batch_norm(each)
        assert norms(folded) == ["norm"]
        np.testing.assert_allclose(folded(x), each(x), atol=1e-6)
    assert norms(fold_batch_norm(model(None, False))) == []


def test_what_is_no_functional_keras_3_model_is_refused():
    import tf_keras

    x = tf_keras.Input((3,))
    twin = tf_keras.Model(x, tf_keras.layers.Dense(1)(x))
    with pytest.raises(TypeError, match=r"tf_keras.*expected a functional Keras 3 model"):
        fold_batch_norm(twin)
