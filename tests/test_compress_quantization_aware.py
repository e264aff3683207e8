"""Quantization-aware training for LiteRT: it computes what the file will, learns, comes back."""

import keras
import numpy as np
import pytest

from rsutils.compress.quantization_aware import (
    copy_quantized,
    make_quantization_aware,
    quantized_weights,
)
from rsutils.compress.twin import NoTwinError
from rsutils.models import ncf_network
from rsutils.models.fields import networks
from rsutils.serve import LiteRTRunner, export_litert
from tests.random_weights import with_random_weights

N_FEATURES, N_FIELDS, ROWS = 300, 4, 256
KINDS = ("deepfm", "dnn", "nfm", "dnfm", "fm", "ncf", "deepfm with norms")


def case(kind):
    """A builder, its config, a model with weights, inputs and labels."""
    rng = np.random.default_rng(1)
    label = (rng.random((ROWS, 1)) < 0.5).astype(np.float32)
    if kind == "ncf":
        build, config = ncf_network.build, ncf_network.NCFConfig(90, 70, 8, 16, (32, 16), 0.1)
        sizes = {"user": 90, "item": 70}
        inputs = {name: rng.integers(0, n, ROWS, dtype=np.int32) for name, n in sizes.items()}
    else:
        kind, _, norms = kind.partition(" with ")
        build = networks.build
        config = networks.FieldConfig(
            kind, N_FEATURES, N_FIELDS, 16, hidden=(32, 16), batch_norm=bool(norms), dropout=0.1
        )
        inputs = rng.integers(0, N_FEATURES, (ROWS, N_FIELDS), dtype=np.int32)
    return build, config, with_random_weights(build(keras, config)), inputs, label


def batches(inputs):
    return [inputs if isinstance(inputs, dict) else {"features": inputs}]


def error(found, expected):
    """Root mean squared, as a share of the standard deviation."""
    return np.sqrt(np.mean(np.square(found - expected))) / expected.std()


def trained(aware, inputs, label, epochs=3):
    import tf_keras

    loss = tf_keras.losses.BinaryCrossentropy(from_logits=True)
    aware.compile(tf_keras.optimizers.Adam(0.003), loss)
    losses = aware.fit(inputs, label, epochs=epochs, batch_size=64, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    return aware


def stored(path):
    """Types of what a LiteRT file holds in two dimensions and more, by name."""
    runner = LiteRTRunner(path)._interpreter
    return {
        each["name"]: each["dtype"]
        for each in runner.get_tensor_details()
        if ("embed" in each["name"] or "MatMul" in each["name"] or "LastValue" in each["name"])
        and len(each["shape"]) == 2
        and min(each["shape"]) > 1
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_computes_what_training_saw(kind, tmp_path):
    build, config, model, inputs, label = case(kind)
    before = [weight.copy() for weight in model.get_weights()]
    aware = make_quantization_aware(build, config, model, batches(inputs))
    assert 0 < error(aware(inputs).numpy(), model(inputs).numpy()) < 0.08
    trained(aware, inputs, label)
    fp32 = export_litert(model, tmp_path / "fp32.tflite")
    int8 = export_litert(aware, tmp_path / "int8.tflite", int8=True)
    assert int8.stat().st_size < 0.6 * fp32.stat().st_size
    runner, expected = LiteRTRunner(int8), aware(inputs).numpy()
    assert error(runner(inputs), expected) < 0.03
    few = {k: v[:3] for k, v in inputs.items()} if isinstance(inputs, dict) else inputs[:3]
    assert np.abs(runner(few) - expected[:3]).max() < 0.2 * expected.std()
    assert np.abs(LiteRTRunner(int8, threads=2)(inputs) - runner(inputs)).max() < 1e-4
    for one, two in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, two)


@pytest.mark.parametrize("kind", ["deepfm", "ncf"])
def test_tables_and_kernels_are_int8_in_the_file(kind, tmp_path):
    build, config, model, inputs, _ = case(kind)
    aware = make_quantization_aware(build, config, model, batches(inputs))
    types = stored(export_litert(aware, tmp_path / "int8.tflite", int8=True))
    tables = [name for name in types if "embeddings" in name or "LastValue" in name]
    assert all(types[name] is np.int8 for name in tables)
    hidden = [name for name in types if "hidden_1/MatMul;" in name and "LastValue" in name]
    assert len(hidden) == 1
    assert len(tables) == {"deepfm": 3, "ncf": 5}[kind]


def test_weights_are_on_a_grid_of_255_codes():
    build, config, model, inputs, label = case("deepfm")
    aware = trained(make_quantization_aware(build, config, model, batches(inputs)), inputs, label)
    found = quantized_weights(aware)
    assert list(found) == [layer.name for layer in model.layers if layer.weights]
    for name in ("factors", "hidden_1", "hidden_2"):
        codes = found[name][0] / (np.abs(found[name][0]).max() / 127)
        assert np.abs(codes - np.rint(codes)).max() < 1e-3
    assert np.array_equal(found["deep"][0], aware.get_layer("deep").get_weights()[0])
    back = copy_quantized(aware, build(keras, config))
    # Only activations differ: those of the Keras 3 model have no codes.
    assert error(back(inputs).numpy(), aware(inputs).numpy()) < 0.03


def test_a_hidden_layer_joined_with_float32_stays_float32():
    build, config, model, inputs, _ = case("ncf")
    found = quantized_weights(make_quantization_aware(build, config, model, batches(inputs)))
    kept, changed = (
        np.array_equal(found[name][0], model.get_layer(name).get_weights()[0])
        for name in ("hidden_2", "hidden_1")
    )
    assert kept
    assert not changed


def one_layer(layer):
    """A builder of a table with a layer after it, given the module and its name."""

    def build(K, config):
        ids = K.Input((4,), dtype="int32", name="features")
        rows = K.layers.Embedding(9, 4, name="factors")(ids)
        flat = K.layers.Flatten(name="flat")(layer(K)(rows))
        return K.Model(ids, K.layers.Dense(1, name="logit")(flat))

    return build


def test_layers_that_tfmot_cannot_quantize_are_named():
    rows = [{"features": np.zeros((2, 4), np.int32)}]
    for layer, message in (
        (
            lambda K: K.layers.Conv1D(3, 2, name="filters"),
            r"Layer filters is a Conv1D .*\(2, 4, 3\)",
        ),
        (
            lambda K: K.layers.Dense(3, "tanh", name="hidden"),
            "Layer hidden has the activation tanh",
        ),
    ):
        build = one_layer(layer)
        with pytest.raises(NoTwinError, match=message):
            make_quantization_aware(build, None, build(keras, None), rows)

    def reads_the_input(K, config):
        x = K.Input((3,), name="x")
        return K.Model(x, K.layers.Dense(2, name="hidden")(x))

    with pytest.raises(NoTwinError, match="Layer hidden reads the input x itself"):
        make_quantization_aware(
            reads_the_input, None, reads_the_input(keras, None), [{"x": np.zeros((1, 3))}]
        )


def test_what_has_no_twin_or_nothing_to_quantize_is_refused():
    config = networks.FieldConfig("dcn", N_FEATURES, N_FIELDS, 4, hidden=(4,))
    with pytest.raises(NoTwinError, match="cannot be built with tf_keras"):
        make_quantization_aware(networks.build, config, networks.build(keras, config), [])

    def line(K, config):
        x = K.Input((3,), name="x")
        return K.Model(x, K.layers.Dense(1, name="logit")(x), name="line")

    with pytest.raises(ValueError, match="'line' has neither a table nor a hidden layer"):
        make_quantization_aware(line, None, line(keras, None), [{"x": np.zeros((1, 3))}])


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        ([], "There is no calibration data"),
        ({"user": np.zeros(1)}, "There is no calibration data"),
        ([{"user": np.zeros(1, np.int32)}], "batch 0 has the inputs user; expected"),
    ],
)
def test_calibration_data_that_does_not_fit_is_refused(calibration, message):
    build, config, model, _, _ = case("ncf")
    with pytest.raises(ValueError, match=message):
        make_quantization_aware(build, config, model, calibration)


def test_other_models_are_refused():
    build, config, model, inputs, _ = case("fm")
    with pytest.raises(TypeError, match="'fm' has no quantized layer"):
        quantized_weights(model)
    aware = make_quantization_aware(build, config, model, batches(inputs))
    _, _, other, _, _ = case("dnn")
    with pytest.raises(NoTwinError, match=r"'dnn' has weights in factors, hidden_1.*the aware one"):
        copy_quantized(aware, other)
