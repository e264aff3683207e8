"""Scores by ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.serve.signature import checked_inputs

ERRORS_ONLY = 3
"""Severity from which ONNX Runtime logs."""
TYPES = {
    "tensor(bool)": np.bool_,
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
"""ONNX Runtime's names of types."""


class OnnxScorer:
    """Runs an ONNX file on the CPU.

    Attributes:
        path: the file.
        threads: threads that one call may use.
        inputs: the shape of each input, by name; the batch is a word.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no ONNX model that runs, or ``threads`` is below 1.
    """

    def __init__(self, path: Path | str, threads: int = 1) -> None:
        import onnxruntime

        self.path, self.threads = Path(path), threads
        if threads < 1:
            raise ValueError(f"threads is {threads}; expected at least 1.")
        if not self.path.is_file():
            raise FileNotFoundError(f"{path} does not exist; write it with export_onnx first.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        # Threads that wait busily take the cores from whatever else a service does.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                self.path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a type of its own for each status
            first = str(error).splitlines()[0]
            raise ValueError(
                f"{path} is no ONNX model that runs here ({first}); write it again."
            ) from error
        found = self._session.get_inputs()
        self.inputs = {each.name: tuple(each.shape) for each in found}
        self._types = {each.name: TYPES[each.type] for each in found}

    def __call__(self, inputs: Mapping[str, Any] | Any) -> np.ndarray:
        """The output for one batch, as the model has it: (batch, 1) float32 for pairs and rows.

        Args:
            inputs: an array for each input, by name; or just the array where there is one input.

        Raises:
            ValueError: inputs are missing or unknown, or have another shape.
        """
        return self._session.run(None, checked_inputs(inputs, self.inputs, self._types))[0]
