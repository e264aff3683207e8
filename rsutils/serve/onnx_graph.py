"""ONNX files and the graphs in them: reading, small edits, writing."""

from pathlib import Path
from typing import Any

import numpy as np


def read_onnx(path: Path | str) -> Any:
    """The model in a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a valid ONNX model.
    """
    import onnx

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; write it with export_onnx first.")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker each have types of their own
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{path} is no ONNX model ({first[0]}); write it again.") from error
    return model


def write_onnx(model: Any, path: Path | str) -> Path:
    """Check a model and write it in one piece; the folder is made."""
    import onnx

    onnx.checker.check_model(model)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_bytes(model.SerializeToString(deterministic=True))
    unfinished.replace(path)
    return path


def constants(graph: Any) -> dict[str, np.ndarray]:
    """The weights and other constants of a graph, by name."""
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def attribute(node: Any, name: str, default: int) -> int:
    """A whole number that a node has as an attribute, or what it means to leave it out."""
    return next((each.i for each in node.attribute if each.name == name), default)


def set_constant(graph: Any, name: str, value: np.ndarray) -> str:
    """Put a constant into a graph, in place of one of the same name; returns the name."""
    from onnx import numpy_helper

    tensor = numpy_helper.from_array(np.asarray(value, order="C"), name)
    for place, found in enumerate(graph.initializer):
        if found.name == name:
            graph.initializer[place].CopyFrom(tensor)
            return name
    graph.initializer.append(tensor)
    return name


def rename(graph: Any, old: str, new: str) -> None:
    """Give a tensor another name wherever it is made, read or promised."""
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
    for tensor in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        if tensor.name == old:
            tensor.name = new


def shorten_names(graph: Any) -> None:
    """Number what the inside of a graph is called; inputs and outputs keep their names.

    Names that converters make up are long, and each stands wherever a tensor is made or read. In a
    small file they take more room than the biases.
    """
    kept = {tensor.name for tensor in (*graph.input, *graph.output)}
    made = [*(t.name for t in graph.initializer), *(o for node in graph.node for o in node.output)]
    short = {name: f"t{place}" for place, name in enumerate(dict.fromkeys(made))}
    for node in graph.node:
        node.ClearField("name")
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name in short and name not in kept:
                    names[place] = short[name]
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]


def read_instead(graph: Any, old: str, new: str) -> None:
    """Let every node that reads the tensor ``old`` read ``new``."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def drop_unread(graph: Any) -> None:
    """Remove nodes and constants that nothing reads, and the notes on tensors that are gone."""
    read = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):  # in an order in which makers stand before readers
        if read & set(node.output):
            read.update(node.input)
            kept.append(node)
    constants_read = [tensor for tensor in graph.initializer if tensor.name in read]
    _refill(graph.node, kept[::-1])
    _refill(graph.initializer, constants_read)
    made = {name for node in kept for name in node.output}
    _refill(graph.value_info, [tensor for tensor in graph.value_info if tensor.name in made])


def set_nodes(graph: Any, nodes: list[Any]) -> None:
    """Give a graph other nodes; some may be those that it has."""
    _refill(graph.node, nodes)


def _refill(field: Any, values: list[Any]) -> None:
    values = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(values)
