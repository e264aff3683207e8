"""Take out of a graph what costs time and changes nothing.

Ids brought above 0, sums with 0, products with 1, inner products as products of small matrices.
"""

from collections import Counter
from typing import Any

import numpy as np

from rsutils.serve.onnx_graph import constants, drop_unread, read_instead

BY_NUMBER = {"Add", "Cast", "Less", "Mul", "Not", "Where"}
"""Operations that work on each number alone."""
NEUTRAL = {"Add": 0, "Mul": 1}
"""Which constant changes nothing."""


def clean(model: Any) -> None:
    """Remove nodes without effect from an ONNX model, in place.

    Inner products of rows (Keras' Dot) come as one product of two matrices for each row, which
    takes four times as long as multiplying and adding up.

    Keras brings ids from -n..-1 to 0..n-1 before a lookup, in nine operations; ONNX counts ids
    below 0 from the end by itself. Those operations are found by what they do to every id there is.
    """
    _drop_id_wrapping(model)
    _drop_neutral(model.graph)
    _multiply_and_add_up(model)
    drop_unread(model.graph)


def _drop_id_wrapping(model: Any) -> None:
    """Let lookups read ids themselves where these were only brought above 0."""
    graph = model.graph
    known = constants(graph)
    kinds = {tensor.name: tensor.type.tensor_type.elem_type for tensor in graph.input}
    for node in graph.node:
        if node.op_type != "Gather" or node.input[0] not in known:
            continue
        names, source = _made_by_number(graph, node.input[1], known)
        if names and source in kinds:
            rows = len(known[node.input[0]])
            ids = np.arange(-rows, rows, dtype=np.int32)
            found = _run(model, names, source, kinds[source], node.input[1], ids)
            if (found % rows == ids % rows).all():
                node.input[1] = source


def _made_by_number(
    graph: Any, name: str, known: dict[str, np.ndarray]
) -> tuple[set[str], str | None]:
    """Tensors on the way from one source to ``name``, number by number, and the source's name."""
    makers = {output: node for node in graph.node for output in node.output}
    names, sources, waiting = set(), set(), [name]
    while waiting:
        name = waiting.pop()
        if name not in makers and name not in known:
            sources.add(name)
        elif name in known and known[name].size == 1:
            continue
        elif name in known or makers[name].op_type not in BY_NUMBER:
            return set(), None
        elif name not in names:
            names.add(name)
            waiting.extend(makers[name].input)
    return names, sources.pop() if len(sources) == 1 else None


def _run(
    model: Any, names: set[str], source: str, kind: int, target: str, ids: np.ndarray
) -> np.ndarray:
    """What the nodes that make ``names`` make of ids, by ONNX's reference implementation."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    nodes = [node for node in model.graph.node if node.output[0] in names]
    read = {name for node in nodes for name in node.input}
    part = helper.make_graph(
        nodes,
        "ids",
        [helper.make_tensor_value_info(source, kind, [None])],
        [helper.make_tensor_value_info(target, kind, [None])],
        [tensor for tensor in model.graph.initializer if tensor.name in read],
    )
    evaluator = ReferenceEvaluator(helper.make_model(part, opset_imports=model.opset_import))
    return evaluator.run(None, {source: ids.astype(helper.tensor_dtype_to_np_dtype(kind))})[0]


def _drop_neutral(graph: Any) -> None:
    known = constants(graph)
    promised = {output.name for output in graph.output}
    for node in graph.node:
        if node.op_type not in NEUTRAL or node.output[0] in promised:
            continue
        for constant, other in (tuple(node.input), tuple(node.input)[::-1]):
            value = known.get(constant)
            if value is not None and not value.ndim and value == NEUTRAL[node.op_type]:
                read_instead(graph, node.output[0], other)


def _multiply_and_add_up(model: Any) -> None:
    """Squeeze((b, 1, n) @ (b, n, 1)) as the sum of a product, in the place of both."""
    from onnx import helper, shape_inference

    graph = model.graph
    typed = shape_inference.infer_shapes(model).graph
    matrices = {
        each.name
        for each in (*typed.value_info, *typed.input)
        if len(each.type.tensor_type.shape.dim) == 2
    }
    known = constants(graph)
    makers = {output: node for node in graph.node for output in node.output}
    times_read = Counter(name for node in graph.node for name in node.input)

    def is_along(node: Any, kind: str, axis: int) -> bool:
        if node is None or node.op_type != kind or len(node.input) != 2:
            return False
        axes = known.get(node.input[1])
        return axes is not None and axes.tolist() == [axis]

    for node in graph.node:
        product = makers.get(node.input[0]) if is_along(node, "Squeeze", 1) else None
        if product is None or product.op_type != "MatMul" or times_read[node.input[0]] > 1:
            continue
        left, right = (makers.get(name) for name in product.input)
        if is_along(left, "Unsqueeze", 1) and is_along(right, "Unsqueeze", 2):
            pair = [left.input[0], right.input[0]]
            if matrices.issuperset(pair):
                each = helper.make_node("Mul", pair, product.output, name=product.name)
                total = helper.make_node("ReduceSum", node.input, node.output, name=node.name)
                product.CopyFrom(each)
                node.CopyFrom(total)
