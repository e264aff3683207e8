"""Smaller dense layers inside of an ONNX model: float16 or int8 kernels, dynamic or calibrated."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.compress.calibration import Calibration, checked_batches
from rsutils.quiet import quiet
from rsutils.serve.onnx_graph import constants, drop_unread, set_constant, set_nodes

PRODUCTS = ("MatMul", "Gemm")
"""Operations that multiply by a kernel; the second one adds a bias too."""


def kernels_of(graph: Any) -> dict[str, str]:
    """The float32 kernels of hidden layers, by the name of the product that reads them.

    Kernels with one column stay as they are: an output layer has few weights, and each error in
    them is an error of the score.
    """
    known = constants(graph)
    found = {}
    for node in graph.node:
        kernel = known.get(node.input[1]) if node.op_type in PRODUCTS else None
        if kernel is not None and kernel.ndim == 2 and kernel.shape[1] > 1:
            found[node.name] = node.input[1]
    return found


def float16_kernels(graph: Any) -> None:
    """Store kernels as float16, in place; ONNX Runtime makes them float32 when it loads a file."""
    from onnx import TensorProto, helper

    known, casts = constants(graph), []
    for kernel in dict.fromkeys(_checked_kernels(graph).values()):
        short = set_constant(graph, f"{kernel}/float16", known[kernel].astype(np.float16))
        casts.append(helper.make_node("Cast", [short], [kernel], name=kernel, to=TensorProto.FLOAT))
        place = next(i for i, each in enumerate(graph.initializer) if each.name == kernel)
        del graph.initializer[place]
    set_nodes(graph, [*casts, *graph.node])


def int8_kernels(model: Any, calibration: Calibration | None = None) -> Any:
    """A model with int8 kernels, a scale for each output channel.

    Without ``calibration`` what enters a layer is measured and quantized at every call (dynamic
    quantization). With it, ranges are those of the calibration data and stand in the file (static
    quantization, in the QDQ form); what leaves a layer stays float32 up to the next one. Jacob et
    al. 2018, arXiv:1712.05877, sections 2 and 3.

    Kernels use 7 of the 8 bits. CPUs without VNNI add two products of 8 bits in 16, where they
    could overflow; with 7 the file gives the same scores on every CPU.

    Raises:
        ValueError: there is no hidden layer, or the calibration data does not fit the inputs.
    """
    _checked_kernels(model.graph)
    batches = None if calibration is None else checked_batches(_types(model.graph), calibration)
    with tempfile.TemporaryDirectory() as folder, quiet():
        return _quantized(model, batches, Path(folder))


def _checked_kernels(graph: Any) -> dict[str, str]:
    kernels = kernels_of(graph)
    if not kernels:
        raise ValueError("The graph has no hidden layer with a float32 kernel; leave `dense` out.")
    return kernels


def _types(graph: Any) -> dict[str, Any]:
    from onnx import helper

    return {
        each.name: helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type)
        for each in graph.input
    }


def _quantized(model: Any, batches: list[dict[str, np.ndarray]] | None, folder: Path) -> Any:
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    fp32, prepared, int8 = (folder / f"{name}.onnx" for name in ("fp32", "prepared", "int8"))
    onnx.save(model, fp32)
    # For calibrated layers product and bias become one operation, which has an int8 form.
    quant_pre_process(fp32, prepared, skip_optimization=batches is None, skip_symbolic_shape=True)
    names = list(kernels_of(onnx.load(prepared).graph))
    settings = {
        "weight_type": quantization.QuantType.QInt8,
        "per_channel": True,
        "reduce_range": True,
        "nodes_to_quantize": names,
    }
    if batches is None:
        quantization.quantize_dynamic(prepared, int8, **settings)
        return onnx.load(int8)
    quantization.quantize_static(
        prepared,
        int8,
        _Reader(batches),
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QUInt8,
        extra_options={"OpTypesToExcludeOutputQuantization": list(PRODUCTS)},
        **settings,
    )
    made = onnx.load(int8)
    _spare_others(made.graph, set(names))
    _keep_relu_apart(made.graph)
    return made


def _spare_others(graph: Any, quantized: set[str]) -> None:
    """Let nodes that are not quantized read the numbers from before the quantization."""
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        for place, name in enumerate(node.input if node.name not in quantized else ()):
            back = makers.get(name)
            there = makers.get(back.input[0]) if _is(back, "DequantizeLinear") else None
            if _is(there, "QuantizeLinear"):
                node.input[place] = there.input[0]


def _keep_relu_apart(graph: Any) -> None:
    """Write ReLU as a maximum where its output stays float32.

    ONNX Runtime would join it to the product before it, and has no int8 form of both together; the
    kernel would become float32 again at every call.
    """
    quantized = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    zero = set_constant(graph, "relu/zero", np.float32(0))
    for node in graph.node:
        if node.op_type == "Relu" and node.output[0] not in quantized:
            node.op_type = "Max"
            node.input.append(zero)
    drop_unread(graph)


def _is(node: Any, kind: str) -> bool:
    return node is not None and node.op_type == kind


class _Reader:
    """Batches, one after the other, as ONNX Runtime asks for them."""

    def __init__(self, batches: list[dict[str, np.ndarray]]) -> None:
        self.batches: Iterator[dict[str, np.ndarray]] = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch, None after the last one."""
        return next(self.batches, None)
