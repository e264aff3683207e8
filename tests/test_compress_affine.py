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
        st.tuples(st.integers(1, 9), st.integers(1, 17)),
        elements=st.floats(-100, 100, width=32),
    ),
    st.sampled_from([4, 8]),
)
@settings(max_examples=200, deadline=None)
def test_rows_come_back_within_half_a_scale_or_what_clipping_pays_for(table, bits):
    small = QuantizedTable.of(table, bits)
    assert small.shape == table.shape
    assert small.nbytes == len(table) * (-(-table.shape[1] * bits // 8) + 1) + 4
    back = small.rows(np.arange(len(table)))
    # A scale is rounded up by at most a sixteenth of an octave, the smallest to 2^-15.9 of the top.
    peak = np.abs(table).max(1) / (2 ** (bits - 1) - 1)
    scale = np.maximum(peak * 2 ** (1 / 16), max(peak.max(), 2.0**-100) * 2 ** (-255 / 16))
    error = np.square(back - table).sum(1)
    assert (error <= table.shape[1] * (scale / 2) ** 2 * 1.0001).all()
    assert (small.scale[:, 0] <= scale * 1.0001).all()
    if bits == 8:
        assert (np.abs(back - table) <= scale[:, None] / 2 * 1.0001).all()
        assert (small.scale[:, 0] >= peak).all()
    assert np.array_equal(small.rows(np.array([[0], [0]])), back[[[0], [0]]])


def test_four_bits_hold_every_code():
    table = np.arange(-7, 9, dtype=np.float32).clip(max=7)[None]
    small = QuantizedTable.of(table, bits=4)
    assert small.scale.item() == 1
    assert small.rows([0])[0].tolist() == table[0].tolist()


def test_codes_lie_in_halves_and_scales_in_sixteenths_of_an_octave():
    small = QuantizedTable.of([[-7, 1, 2, 7], [3.5, 0, 0, -0.5]], bits=4)
    assert small.codes.tolist() == [[10 << 4 | 1, 15 << 4 | 9], [8 << 4 | 15, 7 << 4 | 8]]
    assert small.scale_codes.tolist() == [[0], [16]]
    assert small.top == 1


@pytest.mark.parametrize("bits", [4, 8])
def test_rows_of_all_sizes_have_a_scale(bits):
    """Zeros stay zeros, the largest floats do not overflow, and small rows only lose detail."""
    sizes = np.array([1e38, 1e34, 1e30, 1e-30, 0], np.float32)
    table = sizes[:, None] * np.array([1, -0.5, 0.25], np.float32)
    small = QuantizedTable.of(table, bits)
    back = small.rows(np.arange(5))
    assert np.isfinite(back).all()
    assert np.abs(back[:2] / sizes[:2, None] - table[0] / sizes[0]).max() < 0.6 / 2**bits * 2
    assert (back[2:] == 0).all()
    assert small.scale_codes[2:].ravel().tolist() == [255, 255, 255]
    nothing = QuantizedTable.of(np.zeros((2, 3)), bits)
    assert (nothing.rows([0, 1]) == 0).all()


def test_four_bits_and_a_byte_for_the_scale_are_a_seventh():
    table = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
    assert QuantizedTable.of(table, bits=4).nbytes < 0.142 * table.nbytes


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
        (np.zeros((0, 3)), 8, r"shape \(0, 3\); expected rows"),
        (np.zeros((2, 4)), 5, "bits is 5; expected 8 or 4"),
        (np.full((2, 4), np.inf), 4, "not finite"),
        (np.full((2, 4), np.nan), 8, "not finite"),
    ],
)
def test_tables_that_cannot_be_quantized_are_refused(table, bits, message):
    with pytest.raises(ValueError, match=message):
        QuantizedTable.of(table, bits)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("dimensions", [1, 6, 7])
def test_a_table_is_saved_and_loaded(tmp_path, bits, dimensions):
    table = np.random.default_rng(0).normal(size=(7, dimensions)).astype(np.float32)
    small = QuantizedTable.of(table, bits)
    small.save(tmp_path / "table.npz")
    again = QuantizedTable.load(tmp_path / "table.npz")
    assert again.shape == (7, dimensions)
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
    for change, message in (
        ({"bits": 4}, r"4 bits.*do not fit together"),
        ({"dimensions": 5}, r"5 dimensions.*do not fit together"),
        ({"top": np.nan}, r"below nan.*do not fit together"),
        ({"scale_codes": small.scale_codes[:2]}, "do not fit together"),
        ({"codes": np.array([print], object)}, "holds no quantized table"),
    ):
        np.savez(path, **{**vars(small), **change})
        with pytest.raises(ValueError, match=message):
            QuantizedTable.load(path)
