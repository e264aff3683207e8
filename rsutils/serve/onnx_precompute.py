"""What depends on one id alone, computed for all ids when a file is loaded, once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.serve.onnx_graph import (
    attribute,
    constants,
    drop_unread,
    read_onnx,
    set_constant,
    set_nodes,
    write_onnx,
)

BY_NUMBER = {
    *("Abs", "Add", "BitShift", "BitwiseAnd", "Cast", "Clip", "Div", "Elu", "Erf", "Exp", "Mul"),
    *("Neg", "Relu", "Sigmoid", "Softplus", "Sqrt", "Sub", "Tanh"),
}
"""Operations that work on each number alone."""


def precompute_onnx(source: Path | str, target: Path | str) -> Path:
    """Write the file ``source`` so that a lookup is the last thing that is done with an id.

    f(table[ids]) = f(table)[ids] where f works row by row: unpacking codes, a tower of a two-tower
    model. In the new file f is applied to the whole table. All of that is constant, so ONNX Runtime
    computes it once, when it loads the file. The file hardly changes its size; a call saves the
    operations, and the process pays with memory for all rows of the result. What reads several ids
    (the layers of NeuMF's MLP) stays as it is, and so do int8 layers that find the range of their
    inputs anew in each call.

    Args:
        source: a file of ``export_onnx`` or ``compress_onnx``.
        target: where to write; the folder is made.

    Returns:
        ``target``.

    Raises:
        FileNotFoundError: there is no file ``source``.
        ValueError: it is no ONNX model, or has nothing that could be computed beforehand.

    Example:
        >>> import keras, tempfile
        >>> from rsutils.serve.onnx_export import export_onnx
        >>> ids = keras.Input((), dtype="int32", name="item")
        >>> rows = keras.layers.Embedding(50, 2, name="factors")(ids)
        >>> model = keras.Model(ids, keras.layers.Dense(3, "relu", name="hidden")(rows))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fp32 = export_onnx(model, Path(folder) / "fp32.onnx")
        ...     ahead = precompute_onnx(fp32, Path(folder) / "ahead.onnx")
        ...     read_onnx(ahead).graph.node[-1].op_type
        'Gather'
    """
    model = read_onnx(source)
    graph = model.graph
    found = [part for part in _parts(graph) if part.row_rank]
    if not found:
        raise ValueError(
            f"{source} does nothing with an id before it meets another one but look it up; use it "
            "as it is."
        )
    kinds = {tensor.name: tensor.type.tensor_type.elem_type for tensor in graph.input}
    for number, part in enumerate(found):
        _look_up_last(graph, part, number, kinds[part.ids])
    del graph.value_info[:]
    return write_onnx(model, target)


@dataclass
class _Part:
    """Nodes that depend on one input of ids, row by row.

    Attributes:
        ids: the input.
        ids_rank: its dimensions.
        rows: how many ids there are.
        row_rank: dimensions of a row of what the nodes make, by its name.
    """

    ids: str
    ids_rank: int
    rows: int
    row_rank: dict[str, int] = field(default_factory=dict)


def _parts(graph: Any) -> list[_Part]:
    """One for each input and size of the tables that it is looked up in."""
    known = constants(graph)
    for node in graph.node:  # kernels in few bits are made real by casts
        if node.op_type == "Cast" and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]
    inputs = {each.name: len(each.type.tensor_type.shape.dim) for each in graph.input}
    sizes = {
        (node.input[1], len(known[node.input[0]])): None
        for node in graph.node
        if _is_lookup(node, known) and node.input[1] in inputs
    }
    parts = [_Part(ids, inputs[ids], rows) for ids, rows in sizes]
    for part in parts:
        for node in graph.node:
            rank = _row_rank(node, part, known)
            if rank is not None:
                part.row_rank[node.output[0]] = rank
        read = {
            name for node in graph.node if node.output[0] in part.row_rank for name in node.input
        }
        for node in graph.node:
            if part.ids in node.input and node.output[0] not in read:
                part.row_rank.pop(node.output[0], None)  # a lookup is its own last operation
    return parts


def _is_lookup(node: Any, known: dict[str, np.ndarray]) -> bool:
    is_gather = node.op_type == "Gather" and attribute(node, "axis", 0) == 0
    return is_gather and node.input[0] in known and known[node.input[0]].ndim > 0


def _row_rank(node: Any, part: _Part, known: dict[str, np.ndarray]) -> int | None:
    """Dimensions of a row of what a node makes; None where it does not work row by row."""
    ranks = [part.row_rank.get(name) for name in node.input]
    fixed = [known.get(name) for name in node.input]
    if _is_lookup(node, known):
        if node.input[1] == part.ids:
            return fixed[0].ndim - 1 if len(fixed[0]) == part.rows else None
        return None if ranks[1] is None else fixed[0].ndim - 1 + ranks[1]
    if all(rank is None for rank in ranks):
        return None
    if any(rank is None and value is None for rank, value in zip(ranks, fixed, strict=True)):
        return None
    most = max(rank for rank in ranks if rank is not None)
    same = all(rank == most for rank in ranks if rank is not None)
    if node.op_type in BY_NUMBER:
        # A constant with more dimensions than a row would differ from row to row.
        small = all(value is None or value.ndim <= most for value in fixed)
        return most if same and small else None
    if node.op_type == "Concat":
        last = attribute(node, "axis", 0) in (-1, part.ids_rank + most - 1)
        return most if same and None not in ranks and most and last else None
    if node.op_type == "MatMul":
        return most if ranks[0] and fixed[1] is not None and fixed[1].ndim == 2 else None
    if node.op_type == "Slice" and ranks[0] and len(fixed) > 3:
        return most if (fixed[3] == -1).all() else None
    return None


def _look_up_last(graph: Any, part: _Part, number: int, kind: int) -> None:
    """Apply a part to all ids, and look up what it gives."""
    from onnx import TensorProto, helper

    integer = {TensorProto.INT32: np.int32, TensorProto.INT64: np.int64}[kind]
    ends = [
        set_constant(graph, f"all_ids_{number}/{name}", np.array(value, integer))
        for name, value in (("first", 0), ("end", part.rows), ("step", 1))
    ]
    everything = f"all_ids_{number}"
    read_elsewhere = {tensor.name for tensor in graph.output}
    for node in graph.node:
        if not part.row_rank.keys() & set(node.output):
            read_elsewhere.update(node.input)
    nodes = [helper.make_node("Range", ends, [everything], name=everything)]
    for node in graph.node:
        nodes.append(node)
        output = node.output[0]
        if output not in part.row_rank:
            continue
        for place, name in enumerate(node.input):
            if name == part.ids:
                node.input[place] = everything
            elif name in part.row_rank.keys() & read_elsewhere:
                node.input[place] = f"{name}/all"
        if node.op_type == "Concat":
            next(each for each in node.attribute if each.name == "axis").i = -1
        if output in read_elsewhere:
            node.output[0] = f"{output}/all"
            inputs = [node.output[0], part.ids]
            nodes.append(helper.make_node("Gather", inputs, [output], name=output, axis=0))
    set_nodes(graph, nodes)
    drop_unread(graph)
