"""A Keras model as a TensorFlow SavedModel, as TensorFlow Serving reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.quiet import quiet
from rsutils.sealed import new_folder
from rsutils.serve.signature import check_exportable, checked_inputs, named_call, with_variables

SIGNATURE = "serving_default"
"""The signature that TensorFlow Serving calls where a request names none."""


def export_saved_model(model: Any, folder: Path | str) -> Path:
    """Write a built functional Keras 3 model to ``folder`` as a SavedModel.

    The signature ``serving_default`` has inputs with the names, types and shapes that they have in
    Keras, with a batch of any size; its one output is called like the layer that makes it.
    TensorFlow Serving looks for versions, folders with a number, in the folder of a model: write to
    ``MODEL/1``.

    Args:
        model: a built functional Keras 3 model with one output.
        folder: where to write; the folder above is made.

    Returns:
        ``folder``.

    Raises:
        FileExistsError: something stands at ``folder`` already.
        TypeError: this is no Keras 3 model.
        ValueError: the model does not say its inputs, or has more than one output.

    Example:
        >>> import keras, tempfile
        >>> ids = keras.Input((), dtype="int32", name="item")
        >>> model = keras.Model(ids, keras.layers.Embedding(5, 2, name="factors")(ids))
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     scorer = SavedModelScorer(export_saved_model(model, Path(parent) / "1"))
        >>> scorer({"item": [3, 0, 1]}).shape
        (3, 2)
    """
    import tensorflow as tf

    check_exportable(model)
    with new_folder(folder) as draft, quiet():
        call = named_call(model)
        signatures = {SIGNATURE: call.get_concrete_function()}
        tf.saved_model.save(with_variables(model, call), str(draft), signatures)
    return Path(folder)


class SavedModelScorer:
    """Runs a SavedModel with TensorFlow.

    A SavedModel is a program: TensorFlow runs whatever its graph says, reading and writing files
    included. Open only what you exported yourself, or a folder whose checksums come from somebody
    you trust and were verified, as ``load_export`` does it.

    Attributes:
        path: the folder.
        inputs: the shape of each input, by name; the batch is a word.

    Raises:
        FileNotFoundError: there is no SavedModel.
        ValueError: it cannot be read, or has no signature ``serving_default`` with one output.
    """

    def __init__(self, path: Path | str) -> None:
        import tensorflow as tf

        self.path = Path(path)
        if not (self.path / "saved_model.pb").is_file():
            raise FileNotFoundError(
                f"{path} holds no saved_model.pb; write it with export_saved_model first."
            )
        try:
            with quiet():
                self._loaded = tf.saved_model.load(str(self.path))
                self._call = self._loaded.signatures[SIGNATURE]
        except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
            first = str(error).splitlines()[0]
            raise ValueError(
                f"{path} is no SavedModel with the signature {SIGNATURE} ({first}); write it again."
            ) from error
        if len(self._call.structured_outputs) != 1:
            found = ", ".join(self._call.structured_outputs)
            raise ValueError(f"{path} has the outputs {found}; expected one.")
        specs = self._call.structured_input_signature[1]
        self.inputs = {name: ("batch", *specs[name].shape[1:]) for name in sorted(specs)}
        self._types = {name: np.dtype(spec.dtype.as_numpy_dtype) for name, spec in specs.items()}

    def __call__(self, inputs: Mapping[str, Any] | Any) -> np.ndarray:
        """The output for one batch, as the model has it: (batch, 1) float32 for pairs and rows.

        Args:
            inputs: an array for each input, by name; or just the array where there is one input.

        Raises:
            ValueError: inputs are missing or unknown, or have another shape.
        """
        import tensorflow as tf

        arrays = checked_inputs(inputs, self.inputs, self._types)
        (found,) = self._call(**{n: tf.constant(each) for n, each in arrays.items()}).values()
        return found.numpy()
