"""Smaller tables inside of an ONNX graph: rows are looked up as codes and made real afterwards."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rsutils.compress.quantized_table import QuantizedTable, scales_below
from rsutils.serve.onnx_graph import attribute, constants, drop_unread, set_constant, set_nodes


def tables_of(graph: Any) -> dict[str, np.ndarray]:
    """The float32 tables whose rows a graph looks up and that nothing else reads, by name."""
    read_by: dict[str, set[bool]] = {}
    for node in graph.node:
        axis = attribute(node, "axis", 0)
        for place, name in enumerate(node.input):
            is_lookup = node.op_type == "Gather" and place == 0 and axis == 0
            read_by.setdefault(name, set()).add(is_lookup)
    return {
        name: value
        for name, value in constants(graph).items()
        if read_by.get(name) == {True} and value.ndim == 2 and value.dtype == np.float32
    }


def bits_by_table(graph: Any, bits: Mapping[str, int | None] | int) -> dict[str, int]:
    """The bits that each table of a graph is to have, by its name there.

    Args:
        graph: of an ONNX model.
        bits: for all tables, or by the name of the Keras layer, which is what stands before
            ``/embeddings``. Tables that are not named, or get None, are left out.

    Raises:
        ValueError: there is no table, or none of a name.
    """
    tables = {name.removesuffix("/embeddings"): name for name in tables_of(graph)}
    if not tables:
        raise ValueError("The graph looks up no rows of a float32 table; leave `tables` out.")
    chosen = bits if isinstance(bits, Mapping) else dict.fromkeys(tables, bits)
    for name in chosen:
        if name not in tables:
            raise ValueError(f"There is no table {name!r}; the graph has {', '.join(tables)}.")
    return {tables[name]: wanted for name, wanted in chosen.items() if wanted}


def shrink_tables(graph: Any, bits: Mapping[str, int]) -> None:
    """Store tables in fewer bits, in place.

    With 8 or 4 bits a table becomes a :class:`QuantizedTable`, and the rows are exactly those of
    its ``rows``. A table of one dimension would spend as much on scales as on codes: its transpose
    is quantized in 8 bits, which gives one scale for all. With 16 bits rows are float16, made
    float32 after the lookup.

    Args:
        graph: of an ONNX model with opset 18 or later.
        bits: 16, 8 or 4 by table, as :func:`bits_by_table` gives them.
    """
    tables = tables_of(graph)
    lookups = {name: _lookup(graph, name, tables[name], wanted) for name, wanted in bits.items()}
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in lookups:
            nodes += lookups[node.input[0]].nodes(node.input[1], node.output[0])
        else:
            nodes.append(node)
    set_nodes(graph, nodes)
    drop_unread(graph)


def _lookup(graph: Any, name: str, table: np.ndarray, bits: int) -> "_Lookup":
    """Put a table's constants into the graph."""
    if bits == 16:
        set_constant(graph, f"{name}/float16", table.astype(np.float16))
        return _Lookup(name, "float16", 0)
    if table.shape[1] == 1:
        column = QuantizedTable.of(table.T, 8)
        set_constant(graph, f"{name}/codes", column.codes.T)
        set_constant(graph, f"{name}/scale", column.scale[0, 0])
        return _Lookup(name, "one scale", 1)
    small = QuantizedTable.of(table, bits)
    set_constant(graph, f"{name}/codes", small.codes)
    set_constant(graph, f"{name}/scale_codes", small.scale_codes)
    used = int(small.scale_codes.max()) + 1
    set_constant(graph, f"{name}/scales", scales_below(small.top)[:used])
    if bits == 4:
        for constant, value in _UNPACKING.items():
            set_constant(graph, constant, value)
        set_constant(graph, f"{name}/dimensions", np.array([small.dimensions]))
    return _Lookup(name, f"{bits} bits", small.dimensions)


_UNPACKING = {
    "table/lower_half": np.array(0xF, np.uint8),
    "table/half": np.array(4, np.uint8),
    "table/zero_point": np.array(8, np.float32),
    "table/begin": np.array([0]),
    "table/last_axis": np.array([-1]),
}
"""What unpacking two codes of a byte takes; shared by all tables."""


class _Lookup:
    """The nodes of a lookup in one table.

    Args:
        table: its name.
        kind: how it is stored.
        dimensions: numbers in a row.
    """

    def __init__(self, table: str, kind: str, dimensions: int) -> None:
        self.table, self.kind, self.dimensions = table, kind, dimensions

    def nodes(self, ids: str, rows: str) -> list[Any]:
        """What makes the tensor ``rows`` of the tensor ``ids``."""
        self.made: list[Any] = []
        self.rows = rows
        if self.kind == "float16":
            self._cast(self._gather("float16", ids), "float32", rows)
            return self.made
        codes = self._gather("codes", ids)
        codes = self._unpacked(codes) if self.kind == "4 bits" else self._cast(codes, "float32")
        self._add("Mul", [codes, self._scale(ids)], rows)
        return self.made

    def _scale(self, ids: str) -> str:
        if self.kind == "one scale":
            return f"{self.table}/scale"
        place = self._cast(self._gather("scale_codes", ids), "int32")
        return self._add("Gather", [f"{self.table}/scales", place], f"{self.rows}/scale")

    def _unpacked(self, codes: str) -> str:
        low = self._add("BitwiseAnd", [codes, "table/lower_half"], f"{codes}/low")
        high = self._add("BitShift", [codes, "table/half"], f"{codes}/high", direction="RIGHT")
        both = self._add("Concat", [low, high], f"{codes}/both", axis=-1)
        if self.dimensions % 2:
            ends = ["table/begin", f"{self.table}/dimensions", "table/last_axis"]
            both = self._add("Slice", [both, *ends], f"{codes}/even")
        above_zero = self._cast(both, "float32")
        return self._add("Sub", [above_zero, "table/zero_point"], f"{codes}/signed")

    def _gather(self, part: str, ids: str) -> str:
        return self._add("Gather", [f"{self.table}/{part}", ids], f"{self.rows}/{part}")

    def _cast(self, tensor: str, kind: str, output: str | None = None) -> str:
        from onnx import TensorProto

        to = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}[kind]
        return self._add("Cast", [tensor], output or f"{tensor}/{kind}", to=to)

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.made.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output
