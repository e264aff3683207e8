"""Calibration data: batches of inputs, from which ranges of activations are taken."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Calibration = Sequence[Mapping[str, Any]]
"""Batches of inputs, by name, as the model meets them in use."""


def checked_batches(
    types: Mapping[str, Any], calibration: Calibration
) -> list[dict[str, np.ndarray]]:
    """Calibration data in the types of a model's inputs.

    Args:
        types: the NumPy type of each input, by name.
        calibration: batches of inputs, by name.

    Raises:
        ValueError: there is none, or inputs are missing or unknown.

    Example:
        >>> checked_batches({"user": np.int32}, [{"user": [3, 4]}])
        [{'user': array([3, 4], dtype=int32)}]
    """
    if isinstance(calibration, Mapping) or not len(calibration):
        raise ValueError(
            "There is no calibration data; give a list of batches, each a dict by input name."
        )
    for number, batch in enumerate(calibration):
        if set(batch) != set(types):
            raise ValueError(
                f"Calibration batch {number} has the inputs {', '.join(batch) or 'none'}; expected "
                f"{', '.join(types)}."
            )
    return [{name: np.asarray(batch[name], types[name]) for name in types} for batch in calibration]
