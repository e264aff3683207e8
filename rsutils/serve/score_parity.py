"""Whether two ways of scoring are the same, but for the rounding of float32."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rsutils.models.base import Recommender, top_k
from rsutils.serve.spread import spread

TOLERANCE = 1e-5
"""Largest difference of two float32 scores of one model, in units of the scores."""
LIST = 10
"""Items of a list that is compared."""


def parity(expected: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """How much scores differ, and how many lists of 10 items.

    A unit is 1 where scores are small, else the largest of them: float32 has seven digits, so the
    rounding of a score of 30 is a multiple of 1e-5 / 5 by itself.

    Args:
        expected: (n, n_items) scores.
        found: (n, n_items) scores of the other way.

    Returns:
        ``users``: n. ``largest_difference``: of two scores, None where one is no number.
        ``largest_score``: of ``expected``, by its absolute value. ``top10_identical``: the share of
        the n lists that are the same, item for item. ``top10_identical_but_ties``: the same, where
        items may stand in each other's place if ``expected`` scores them within ``TOLERANCE``
        units: which one comes first is then a matter of rounding.

    Example:
        >>> scores = np.array([[1.0, 2.0, 2.0000001, 3.0]])
        >>> found = parity(scores, np.array([[1.0, 2.0, 1.9999999, 3.0]]))
        >>> found["top10_identical"], found["top10_identical_but_ties"]
        (0.0, 1.0)
    """
    expected, found = (np.asarray(each, np.float64) for each in (expected, found))
    largest = float(np.abs(expected).max())
    difference = float(np.abs(found - expected).max())
    # Nothing that is no number can be sorted; such a list is never the same.
    lists = [top_k(np.nan_to_num(each, nan=-np.inf), LIST) for each in (expected, found)]
    same = lists[0] == lists[1]
    scores = [np.take_along_axis(expected, each, axis=1) for each in lists]
    tied = np.abs(scores[0] - scores[1]) <= TOLERANCE * max(1.0, largest)
    return {
        "users": len(expected),
        "largest_difference": difference if np.isfinite(difference) else None,
        "largest_score": largest,
        "top10_identical": float(same.all(axis=1).mean()),
        "top10_identical_but_ties": float((same | tied).all(axis=1).mean()),
    }


def check_parity(name: str, figures: Mapping[str, Any]) -> None:
    """Refuse what does not score as the model does.

    Args:
        name: of the file.
        figures: what :func:`parity` gives.

    Raises:
        ValueError: a score differs by more than ``TOLERANCE`` units, or a list by more than ties.
    """
    difference = figures["largest_difference"]
    allowed = TOLERANCE * max(1.0, figures["largest_score"])
    if difference is None or difference > allowed or figures["top10_identical_but_ties"] < 1:
        found = "NaN or infinite" if difference is None else f"{difference:.2g}"
        raise ValueError(
            f"{name} does not score as the model does: the largest difference is {found}, and "
            f"{figures['top10_identical']:.1%} of {figures['users']} lists of {LIST} items are the "
            f"same; expected at most {allowed:.2g} and the same lists. Nothing was written; report "
            "the layer that the converter gets wrong, or leave this format out."
        )


def compared_users(model: Recommender, most: int) -> np.ndarray:
    """All users of a fitted model, or ``most`` of them, spread evenly; one without history too."""
    users = spread(model.n_users_, most)
    cold = getattr(model, "cold_", None)
    if hasattr(model, "history_"):
        cold = np.diff(model.history_.indptr) == 0
    elif hasattr(model, "histories_"):
        cold = model.histories_.lengths() == 0
    return users if cold is None else np.union1d(users, np.flatnonzero(cold)[:1])
