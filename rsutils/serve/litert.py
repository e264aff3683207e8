"""A Keras model as a LiteRT file: fp32, or with int8 weights, run by LiteRT's interpreter."""

from pathlib import Path
from typing import Any

import numpy as np

from rsutils.quiet import quiet


def export_litert(model: Any, path: Path, int8: bool = False) -> Path:
    """Write a built Keras 3 model to ``path`` for LiteRT.

    With ``int8`` the weights are quantized after training, each row of a table and each output
    channel of a dense layer to 8 bits with a scale of its own (dynamic-range quantization:
    activations stay fp32 in the file and are quantized on the fly).

    Args:
        model: a built functional Keras 3 model.
        path: where to write; the folder is made.
        int8: quantize the weights.

    Returns:
        ``path``.
    """
    import tensorflow as tf

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        content = converter.convert()
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
    return path


class LiteRTScorer:
    """Scores items with an exported model that takes one user id and returns a row of scores.

    Attributes:
        path: the file.
        threads: threads that one call may use.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.path, self.threads = Path(path), threads
        if not self.path.is_file():
            raise FileNotFoundError(f"{path} does not exist; write it with export_litert first.")
        with quiet():
            self._interpreter = Interpreter(str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
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
