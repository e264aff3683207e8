"""A Keras model as an ONNX file, with a graph that can be read."""

from pathlib import Path
from typing import Any

import numpy as np

from rsutils.quiet import quiet
from rsutils.serve.onnx_clean import clean
from rsutils.serve.onnx_graph import constants, rename, write_onnx
from rsutils.serve.signature import check_exportable, named_call

OPSET = 18
"""The first one with bitwise operations, which tables in 4 bits are unpacked with."""
BATCH = "batch"
"""What the first dimension of inputs and output is called."""


def export_onnx(model: Any, path: Path | str) -> Path:
    """Write a built functional Keras 3 model to ``path`` for ONNX Runtime.

    Inputs have the names, types and shapes that they have in Keras, with a batch of any size; the
    one output is called like the layer that makes it, and weights by their Keras paths, such as
    ``mlp_user/embeddings``. tf2onnx converts, and operations without effect are taken out.

    Args:
        model: a built functional Keras 3 model with one output.
        path: where to write; the folder is made.

    Returns:
        ``path``.

    Raises:
        TypeError: this is no Keras 3 model.
        ValueError: the model does not say its inputs (it is not built, or not functional), or it
            has more than one output.

    Example:
        >>> import keras, tempfile
        >>> from rsutils.serve.onnx_scorer import OnnxScorer
        >>> ids = keras.Input((), dtype="int32", name="item")
        >>> model = keras.Model(ids, keras.layers.Embedding(5, 2, name="factors")(ids))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     scorer = OnnxScorer(export_onnx(model, Path(folder) / "model.onnx"))
        >>> scorer({"item": [3, 0, 1]}).shape
        (3, 2)
    """
    check_exportable(model)
    with quiet():
        converted = _convert(model)
    clean(converted)
    _name(converted.graph, model)
    return write_onnx(converted, path)


def _convert(model: Any) -> Any:
    import tf2onnx

    call = named_call(model)
    return tf2onnx.convert.from_function(call, input_signature=call.input_signature, opset=OPSET)[0]


def _name(graph: Any, model: Any) -> None:
    """Call the output, the batch and the weights as Keras does."""
    rename(graph, graph.output[0].name, model.output_names[0])
    for tensor in (*graph.input, *graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = BATCH
    graph.name = model.name
    found = constants(graph)
    for weight in model.weights:
        values = weight.numpy()
        for name, value in found.items():
            if value.shape == values.shape and np.array_equal(value, values):
                rename(graph, name, weight.path)
                del found[name]
                break
