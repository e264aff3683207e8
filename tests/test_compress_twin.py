"""The tf_keras twin: the same numbers, both ways, or a reason."""

import keras
import numpy as np
import pytest

from rsutils.compress import NoTwinError, copy_weights, make_twin
from rsutils.models import ncf

CONFIG = ncf.NCFConfig(n_users=30, n_items=40, hidden=(16, 8), dropout=0.2)


def trained(config=CONFIG):
    model = ncf.build(keras, config)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def inputs(n=200):
    rng = np.random.default_rng(2)
    return {
        "user": rng.integers(30, size=n, dtype=np.int32),
        "item": rng.integers(40, size=n, dtype=np.int32),
    }


@pytest.mark.parametrize(
    "config",
    [CONFIG, ncf.NCFConfig(30, 40, hidden=()), ncf.NCFConfig(30, 40, gmf_dimensions=0)],
    ids=["neumf", "gmf", "mlp"],
)
def test_the_twin_gives_the_same_numbers_and_the_way_back_is_exact(config):
    model = trained(config)
    twin = make_twin(ncf.build, config, model)
    ours, theirs = model(inputs()).numpy(), twin(inputs()).numpy()
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)
    twin.set_weights([weights / 2 for weights in twin.get_weights()])
    copy_weights(twin, model)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_the_twin_leaves_the_model_alone():
    import tf_keras

    model = trained()
    before = model.get_weights()
    twin = make_twin(ncf.build, CONFIG, model)
    twin.compile(tf_keras.optimizers.SGD(0.1), "mse")
    twin.fit(inputs(), np.ones(200, np.float32), verbose=0)
    assert not np.array_equal(twin.get_weights()[0], before[0])
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_has_no_twin_is_refused_with_the_reason():
    def norm(K, config):
        x = K.Input((4,))
        return K.Model(x, K.layers.RMSNormalization(name="norm")(x))

    with pytest.raises(NoTwinError, match=r"norm does not build with tf_keras.*RMSNormalization"):
        make_twin(norm, None, norm(keras, None))

    def stubborn(K, config):
        x = keras.Input((4,))
        return keras.Model(x, keras.layers.Dense(1)(x))

    with pytest.raises(NoTwinError, match=r"given tf_keras and made a model of keras"):
        make_twin(stubborn, None, stubborn(keras, None))


def test_other_layers_and_shapes_are_refused_and_nothing_is_copied():
    model = trained()
    for config, message in (
        (ncf.NCFConfig(30, 41, hidden=(16, 8)), r"mlp_item has weights of .*40.*its twin of .*41"),
        (ncf.NCFConfig(30, 40, hidden=(16,)), r"only the source has \['hidden_2'\]"),
    ):
        other = ncf.build(keras, config)
        before = other.get_weights()
        with pytest.raises(NoTwinError, match=message):
            copy_weights(model, other)
        for a, b in zip(other.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
