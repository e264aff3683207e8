"""Training with rounded weights: they are those that will be served, and they do learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rsutils.compress import KeepZeros, QuantizationAware, QuantizedTable, prune, sparsities
from rsutils.compress.affine import fit_affine
from rsutils.compress.rounding import rounded_kernel, rounded_table
from rsutils.data import FieldRows
from rsutils.models.fields import FieldModel
from rsutils.serve import OnnxScorer, compress_onnx, export_onnx

TABLES = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=10),
    elements=st.floats(-(2.0**20), 2.0**20, width=32, allow_subnormal=False),
)


@given(TABLES, st.sampled_from([8, 4]))
@settings(max_examples=150, deadline=None)
def test_rounded_tables_are_quantized_tables_and_stay_as_they_are(table, bits):
    found = rounded_table(tf.constant(table), bits).numpy()
    assert np.isfinite(found).all()
    again = QuantizedTable.of(found, bits)
    scale = np.abs(table).max(1, keepdims=True)
    np.testing.assert_allclose(
        again.rows(np.arange(len(table))) / np.where(scale > 0, scale, 1),
        found / np.where(scale > 0, scale, 1),
        atol=1e-5,
    )
    own = np.square(found - table).sum()
    best = np.square(QuantizedTable.of(table, bits).rows(np.arange(len(table))) - table).sum()
    assert own <= 1.1 * best + 1e-6 * np.square(table).sum()


@given(TABLES, st.integers(2, 8))
@settings(max_examples=100, deadline=None)
def test_rounded_kernels_are_affine_codes_by_channel(kernel, bits):
    found = rounded_kernel(tf.constant(kernel), bits).numpy()
    affine = fit_affine(kernel, bits, axis=0, symmetric=True)
    expected = affine.dequantize(affine.quantize(kernel))
    one_step = affine.scale * np.ones_like(kernel)
    # A number half-way between two codes may go to either.
    assert (np.abs(found - kernel) <= 0.5001 * one_step + 1e-30).all()
    assert (np.abs(found - expected) <= 1.0001 * one_step + 1e-30).all()


def line(n=256):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 6)).astype(np.float32)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, name="line")])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model, x, x @ np.array([[3.0], [-2.0], [1.0], [0.5], [0.0], [0.0]], np.float32)


def test_steps_smaller_than_half_a_scale_get_somewhere():
    """Rounded weights that were moved themselves would stand still."""
    model, x, y = line()
    model.set_weights([np.full((6, 1), 0.9, np.float32), np.zeros(1, np.float32)])
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, batch_size=16, epochs=10, verbose=0, callbacks=[QuantizationAware(model, 3)])
    kernel = model.get_layer("line").kernel.numpy()
    codes = kernel / (np.abs(kernel).max() / 3)
    np.testing.assert_allclose(codes, codes.round(), atol=1e-5)
    assert model.evaluate(x, y, verbose=0) < 0.1 * before
    assert kernel.ravel().argmax() == 0
    assert kernel.ravel().argmin() == 1


def test_a_step_compiled_before_is_compiled_anew_and_afterwards_too():
    model, x, y = line()
    model.fit(x, y, epochs=1, verbose=0)
    model.fit(x, y, epochs=1, verbose=0, callbacks=[QuantizationAware(model, 2)])
    assert len(np.unique(np.abs(model.get_layer("line").kernel.numpy()))) <= 2
    assert model.get_layer("line").kernel.constraint is None
    model.fit(x, y, epochs=1, verbose=0)
    assert len(np.unique(np.abs(model.get_layer("line").kernel.numpy()))) > 2


def test_rounding_starts_at_an_epoch_and_after_nothing_else():
    model, x, y = line()
    aware = QuantizationAware(model, 2, start=2)
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(
            len(np.unique(np.abs(model.get_layer("line").kernel.numpy())))
        )
    )
    model.fit(x, y, epochs=4, verbose=0, callbacks=[aware, look])
    assert min(seen[:2]) > 2
    assert max(seen[2:]) <= 2
    with pytest.raises(ValueError, match="before epoch 2, at which rounding starts"):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[aware])
    with pytest.raises(ValueError, match="start is -1"):
        QuantizationAware(model, 2, start=-1)


def test_zeros_are_kept_on_request():
    model, x, y = line()
    prune(model, 0.5)
    aware = QuantizationAware(model, 4, keep_zeros=True)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[aware])
    assert sparsities(model)["line"] >= 0.5
    model.fit(x, y, epochs=1, verbose=0, callbacks=[KeepZeros(model)])
    assert sparsities(model)["line"] >= 0.5


def test_what_was_trained_is_what_the_file_holds(tmp_path):
    rng = np.random.default_rng(0)
    ids = np.stack([rng.integers(50, size=800), 50 + rng.integers(70, size=800)], 1)
    rows = FieldRows(ids.astype(np.int32), (rng.random(800) < 0.5).astype(np.float32))
    model = FieldModel("dnn", 8, hidden=(16,), epochs=1, batch_size=64, progress=False)
    model.fit(rows, n_features=120)
    bits = {"factors": 4, "hidden_1": 8}
    model.refine(rows, 0.01, 2, callbacks=[QuantizationAware(model.model_, bits)])
    fp32 = export_onnx(model.model_, tmp_path / "fp32.onnx")
    int4 = compress_onnx(fp32, tmp_path / "int4.onnx", tables=4)
    inputs = {"features": rows.features}
    np.testing.assert_allclose(OnnxScorer(int4)(inputs), OnnxScorer(fp32)(inputs), atol=1e-4)
    assert int4.stat().st_size < fp32.stat().st_size


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ({"nowhere": 8}, "layer 'nowhere'"),
        ({"line": 9}, r"bits is 9 for layer 'line'; expected one of \[2, 3, 4, 5, 6, 7, 8\]"),
        (1, "bits is 1 for layer 'line'"),
    ],
)
def test_bits_that_do_not_exist_are_refused(bits, message):
    model, _, _ = line()
    with pytest.raises(ValueError, match=message):
        QuantizationAware(model, bits)


def test_tables_have_eight_or_four_bits():
    ids = keras.Input((), dtype="int32")
    model = keras.Model(ids, keras.layers.Embedding(5, 4, name="factors")(ids))
    with pytest.raises(
        ValueError, match=r"bits is 6 for layer 'factors'; expected one of \[4, 8\]"
    ):
        QuantizationAware(model, {"factors": 6})
