"""A smaller ONNX file of an fp32 one: tables and dense layers in fewer bits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsutils.compress.calibration import Calibration
from rsutils.serve.onnx_dense import float16_kernels, int8_kernels
from rsutils.serve.onnx_graph import read_onnx, shorten_names, write_onnx
from rsutils.serve.onnx_tables import bits_by_table, shrink_tables

TABLES = (None, 16, 8, 4)
"""Bits that a table can have; None leaves it in fp32."""
DENSE = (None, 16, 8)
"""Bits that a kernel can have."""


def compress_onnx(
    source: Path | str,
    target: Path | str,
    tables: Mapping[str, int | None] | int | None = None,
    dense: int | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write a smaller file of what :func:`export_onnx` wrote.

    Args:
        source: the fp32 file.
        target: where to write; the folder is made.
        tables: bits a number, for all tables or by the name of the layer (others stay fp32): 16,
            or 8 or 4 with a scale for each row, which are exactly the rows of a
            :class:`~rsutils.compress.QuantizedTable`; only looked-up rows are made float32.
        dense: bits of a hidden layer's kernel: 16, or 8 with a scale for each output channel.
        calibration: batches of inputs by name, for ``dense=8``: ranges of what enters a layer are
            then fixed in the file instead of being measured at every call.

    Returns:
        ``target``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no ONNX model, has no table, no such table or no hidden layer to
            quantize, the bits are none of those above, or the calibration data does not fit.

    Example:
        >>> import keras, tempfile
        >>> from rsutils.serve.onnx_export import export_onnx
        >>> ids = keras.Input((), dtype="int32", name="item")
        >>> model = keras.Model(ids, keras.layers.Embedding(5000, 16, name="factors")(ids))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fp32 = export_onnx(model, Path(folder) / "fp32.onnx")
        ...     small = compress_onnx(fp32, Path(folder) / "int4.onnx", tables=4)
        ...     small.stat().st_size < 0.15 * fp32.stat().st_size
        True
    """
    wanted = [*tables.values()] if isinstance(tables, Mapping) else [tables]
    if any(bits not in TABLES for bits in wanted) or dense not in DENSE:
        raise ValueError(f"tables is {tables}, dense {dense}; expected one of {TABLES}, {DENSE}.")
    if not any(wanted) and dense is None:
        raise ValueError("tables and dense are both None; there is nothing to compress.")
    if calibration is not None and dense != 8:
        raise ValueError(f"There is calibration data, and dense is {dense}; it is for dense=8.")
    model = read_onnx(source)
    bits = bits_by_table(model.graph, tables) if any(wanted) else {}
    if dense == 16:
        float16_kernels(model.graph)
    elif dense:
        model = int8_kernels(model, calibration)
    shrink_tables(model.graph, bits)
    return write_short(model, target)


def write_short(model: Any, target: Path | str) -> Path:
    """Write a model without what tools noted in it on the way, and with short names inside.

    The same model gives the same bytes, whatever its export called things.
    """
    model.graph.doc_string = ""
    del model.graph.value_info[:], model.metadata_props[:]
    shorten_names(model.graph)
    return write_onnx(model, target)
