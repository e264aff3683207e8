"""A Keras model as a LiteRT file, in fp32, fp16 or int8, run by LiteRT's interpreter."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.compress.calibration import Calibration, checked_batches
from rsutils.quiet import quiet
from rsutils.serve.signature import check_exportable, checked_inputs, named_call, with_variables


def export_litert(
    model: Any,
    path: Path,
    int8: bool = False,
    fp16: bool = False,
    calibration: Calibration | None = None,
) -> Path:
    """Write a built Keras model to ``path`` for LiteRT.

    With ``int8`` the weights are quantized after training: each output channel of a dense layer
    with a scale of its own, a table with one for all its rows. Activations stay fp32 in the file
    and are quantized on the fly (dynamic-range quantization). With ``calibration`` too, activations
    have fixed ranges and everything between the inputs and the output is computed in int8. A
    tf_keras model from quantization-aware training brings its ranges along: give ``int8`` alone.

    Args:
        model: a built functional model of Keras 3 or tf_keras with one output.
        path: where to write; the folder is made.
        int8: quantize the weights.
        fp16: store the weights in fp16; they are made fp32 when the file is loaded.
        calibration: batches of inputs, by name, for ``int8``.

    Returns:
        ``path``.

    Raises:
        TypeError: this is no Keras model.
        ValueError: the model does not say its inputs, there is calibration data without ``int8``
            or it does not fit the inputs, or both ``int8`` and ``fp16`` are asked for.
    """
    import tensorflow as tf

    if int8 and fp16:
        raise ValueError("int8 and fp16 are both True; expected one of them.")
    if calibration is not None and not int8:
        raise ValueError("There is calibration data, and int8 is False; it is for int8=True.")
    check_exportable(model, ("keras", "tf_keras"))
    types = {each.name: np.dtype(tf.as_dtype(each.dtype).as_numpy_dtype) for each in model.inputs}
    batches = None if calibration is None else checked_batches(types, calibration)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # the converter's own use of an old interpreter
        call = named_call(model)
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [call.get_concrete_function()], with_variables(model, call)
        )
        if int8 or fp16:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if fp16:
            converter.target_spec.supported_types = [tf.float16]
        if batches is not None:
            converter.representative_dataset = lambda: iter(batches)
        content = converter.convert()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    return path


class LiteRTRunner:
    """Runs a LiteRT file on batches of any size.

    Memory for a batch is set aside when its size changes; calls with equal sizes do not pay for it.
    Each size gets an interpreter of its own: LiteRT 2.3 may set aside too little where one that ran
    small batches is given larger ones, and then gives numbers that are wrong.

    Attributes:
        path: the file.
        threads: threads that one call may use.
        inputs: the shape of each input, by name; the batch is a word.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no LiteRT model, or ``threads`` is below 1.

    Example:
        >>> import keras, tempfile
        >>> ids = keras.Input((), dtype="int32", name="item")
        >>> model = keras.Model(ids, keras.layers.Embedding(5, 2, name="factors")(ids))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     runner = LiteRTRunner(export_litert(model, Path(folder) / "model.tflite"))
        ...     runner({"item": [3, 0, 1]}).shape
        (3, 2)
    """

    def __init__(self, path: Path | str, threads: int = 1) -> None:
        self.path, self.threads = Path(path), threads
        self._content = _read(self.path)
        self._interpreter = _open(self._content, self.path, threads)
        details = self._interpreter.get_signature_runner().get_input_details()
        self._index = {name: each["index"] for name, each in details.items()}
        self._types = {name: each["dtype"] for name, each in details.items()}
        self.inputs = {
            name: tuple("batch" if size < 0 else int(size) for size in each["shape_signature"])
            for name, each in details.items()
        }
        self._allocated = {name: tuple(each["shape"]) for name, each in details.items()}
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, inputs: Mapping[str, Any] | Any) -> np.ndarray:
        """The output for one batch, as the model has it: (batch, 1) float32 for pairs and rows.

        Args:
            inputs: an array for each input, by name; or just the array where there is one input.

        Raises:
            ValueError: inputs are missing or unknown, or have another shape.
        """
        arrays = checked_inputs(inputs, self.inputs, self._types)
        shapes = {name: array.shape for name, array in arrays.items()}
        if shapes != self._allocated:
            sizes = {self._index[name]: shape for name, shape in shapes.items()}
            self._interpreter = _open(self._content, self.path, self.threads, sizes)
            self._allocated = shapes
        for name, array in arrays.items():
            self._interpreter.set_tensor(self._index[name], array)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


class LiteRTScorer:
    """Scores items with an exported model that takes one user id and returns a row of scores.

    Attributes:
        path: the file.
        threads: threads that one call may use.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no LiteRT model, or ``threads`` is below 1.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.path, self.threads = Path(path), threads
        self._interpreter = _open(_read(self.path), self.path, threads)
        details = self._interpreter.get_input_details()[0]
        self._input, self._shape = details["index"], details["shape"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def score_one(self, user: int) -> np.ndarray:
        """Scores of every item for one user: (n_items,) float32. This is what a service calls."""
        self._interpreter.set_tensor(self._input, np.full(self._shape, user, np.int32))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)[0]

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores of every item for each of ``users``: (len(users), n_items) float32."""
        return np.stack([self.score_one(user) for user in users])


def _read(path: Path) -> bytes:
    """The file, read once: whoever replaces it later does not change what is running."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; write it with export_litert first.")
    return path.read_bytes()


def _open(
    content: bytes, path: Path, threads: int, sizes: Mapping[int, tuple[int, ...]] | None = None
) -> Any:
    """An interpreter of a file's content, ready for inputs of these sizes."""
    from ai_edge_litert.interpreter import Interpreter

    if threads < 1:
        raise ValueError(f"threads is {threads}; expected at least 1.")
    with quiet():
        try:
            interpreter = Interpreter(model_content=content, num_threads=threads)
        except ValueError as error:
            raise ValueError(f"{path} is no LiteRT model ({error}); write it again.") from error
        for index, size in (sizes or {}).items():
            interpreter.resize_tensor_input(index, size)
        interpreter.allocate_tensors()
    return interpreter
