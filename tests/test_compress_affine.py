"""Affine quantization and quantized tables: error bounds, exact zeros, bytes, bad files."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rsutils.compress import Affine, QuantizedTable, error_bound, fit_affine

NUMBERS = st.floats(-1e4, 1e4, width=32)
TABLES = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=NUMBERS
)


@given(TABLES, st.integers(2, 8), st.sampled_from([None, 0, 1]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_errors_stay_within_the_bound_and_zero_is_exact(table, bits, axis, symmetric):
    affine = fit_affine(table, bits, axis, symmetric)
    codes = affine.quantize(table)
    assert affine.lowest <= codes.min()
    assert codes.max() <= affine.highest
    if symmetric:
        assert codes.min() > affine.lowest
    back = affine.dequantize(codes)
    slack = 1e-5 * np.abs(table).max() + 1e-12
    assert (np.abs(back - table) <= error_bound(affine) + slack).all()
    assert (affine.dequantize(affine.quantize(np.zeros_like(table))) == 0).all()
    if axis is not None:
        assert affine.scale.shape == tuple(1 if i == axis else n for i, n in enumerate(table.shape))


@given(TABLES, st.integers(2, 8))
@settings(max_examples=100, deadline=None)
def test_codes_are_fixed_points(table, bits):
    """What was quantized once is not changed by doing it again with the same scale."""
    affine = fit_affine(table, bits, axis=1, symmetric=True)
    codes = affine.quantize(table)
    assert np.array_equal(affine.quantize(affine.dequantize(codes)), codes)


def test_a_scale_for_each_row_keeps_small_rows():
    table = np.array([[100.0, -50.0], [0.01, -0.02]], np.float32)
    one, each = fit_affine(table, symmetric=True), fit_affine(table, axis=1, symmetric=True)
    assert (one.dequantize(one.quantize(table))[1] == 0).all()
    assert np.abs(each.dequantize(each.quantize(table))[1] - table[1]).max() < 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": np.zeros((0, 3))}, r"\(0, 3\); there is nothing to fit"),
        ({"values": [np.nan]}, "not finite"),
        ({"values": [1.0], "bits": 9}, "bits is 9; expected 2 to 8"),
        ({"values": [1.0], "clip": 0}, "clip is 0; expected a share above 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_affine(**arguments)
    with pytest.raises(ValueError, match="not finite"):
        Affine(np.float32(1), np.int32(0)).quantize([np.inf])


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 8).map(lambda half: 2 * half)),
        elements=st.floats(-100, 100, width=32),
    ),
    st.sampled_from([4, 8]),
)
@settings(max_examples=200, deadline=None)
def test_rows_come_back_within_half_a_scale_or_what_clipping_pays_for(table, bits):
    small = QuantizedTable.of(table, bits)
    assert small.shape == table.shape
    assert small.nbytes == table.size * bits // 8 + 2 * len(table)
    back = small.rows(np.arange(len(table)))
    # float16 rounds a scale up by at most a part in a thousand, and the smallest ones to 6e-8.
    scale = fit_affine(table, bits, axis=1, symmetric=True).scale[:, 0] * 1.001 + 6e-8
    scale = np.where(table.any(axis=1), scale, 0)
    error = np.square(back - table).sum(1)
    assert (error <= table.shape[1] * (scale / 2) ** 2 * 1.0001).all()
    if bits == 8:
        assert (np.abs(back - table) <= scale[:, None] / 2 * 1.0001).all()
    assert np.array_equal(small.rows(np.array([[0], [0]])), back[[[0], [0]]])


def test_four_bits_hold_every_code():
    table = np.arange(-7, 9, dtype=np.float32).clip(max=7)[None]
    small = QuantizedTable.of(table, bits=4)
    assert small.scale.item() == 1
    assert small.rows([0])[0].tolist() == table[0].tolist()


def test_clipping_a_far_number_makes_the_others_better():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(200, 64)).astype(np.float32)
    small = QuantizedTable.of(table, bits=4)
    unclipped = fit_affine(table, 4, axis=1, symmetric=True)
    error = np.square(small.rows(np.arange(200)) - table).mean()
    plain = np.square(unclipped.dequantize(unclipped.quantize(table)) - table).mean()
    assert error < 0.9 * plain


@pytest.mark.parametrize(
    ("table", "bits", "message"),
    [
        (np.zeros(3), 8, r"shape \(3,\); expected rows"),
        (np.zeros((2, 4)), 5, "bits is 5; expected 8 or 4"),
        (np.zeros((2, 3)), 4, "3 dimensions cannot be packed"),
        (np.full((2, 4), 1e30), 8, "too large for a float16 scale"),
        (np.full((2, 4), np.nan), 8, "not finite"),
    ],
)
def test_tables_that_cannot_be_quantized_are_refused(table, bits, message):
    with pytest.raises(ValueError, match=message):
        QuantizedTable.of(table, bits)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_table_is_saved_and_loaded(tmp_path, bits):
    table = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    small = QuantizedTable.of(table, bits)
    small.save(tmp_path / "table.npz")
    again = QuantizedTable.load(tmp_path / "table.npz")
    assert np.array_equal(again.rows(np.arange(7)), small.rows(np.arange(7)))
    assert [path.name for path in tmp_path.iterdir()] == ["table.npz"]
    with pytest.raises(IndexError, match=r"row 7 is unknown; expected 0 to 6"):
        again.rows([3, 7])


def test_foreign_damaged_and_mixed_files_are_refused(tmp_path):
    path = tmp_path / "table.npz"
    with pytest.raises(FileNotFoundError):
        QuantizedTable.load(path)
    small = QuantizedTable.of(np.ones((3, 4)), 8)
    small.save(path)
    content = path.read_bytes()
    for wrong in (b"", content[: len(content) // 2], pickle.dumps([1, 2])):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match="holds no quantized table"):
            QuantizedTable.load(path)
    np.savez(path, codes=small.codes, scale=small.scale, bits=4)
    with pytest.raises(ValueError, match=r"4 bits.*do not fit together"):
        QuantizedTable.load(path)
    np.savez(path, codes=np.array([print], object), scale=small.scale, bits=8)
    with pytest.raises(ValueError, match="holds no quantized table"):
        QuantizedTable.load(path)
