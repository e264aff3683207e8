"""Item numbers as they are shown: with names, scores and reasons; and as a cache keeps them."""

import json
from collections.abc import Sequence

import numpy as np

from rsutils.serve.answers import Reason, Recommended
from rsutils.serve.catalogue import Catalogue

NOTHING_FOUND = b"[]"
"""An empty list, packed."""


def listed(
    catalogue: Catalogue,
    items: Sequence[int] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    reasons: Sequence[Reason],
) -> tuple[Recommended, ...]:
    """Items by their names, in the order in which they are given.

    Example:
        >>> shop = Catalogue(["ann"], ["a1", "a2"], ["War", "Peace"], [("old",), ()])
        >>> listed(shop, [1], [0.5], [Reason("popular")])[0].title
        'Peace'
    """
    return tuple(
        Recommended(
            catalogue.items[item],
            catalogue.titles[item],
            catalogue.categories[item],
            float(score),
            reason,
        )
        for item, score, reason in zip(items, scores, reasons, strict=True)
    )


def pack(items: np.ndarray, scores: np.ndarray, because: np.ndarray) -> bytes:
    """Item numbers, their scores, and the items of the history that speak for them, as JSON."""
    rows = zip(items.tolist(), scores.astype(float).tolist(), because.tolist(), strict=True)
    return json.dumps([*rows]).encode()


def unpack(catalogue: Catalogue, value: bytes) -> tuple[Recommended, ...]:
    """What ``pack`` made, by names.

    Example:
        >>> shop = Catalogue(["ann"], ["a1", "a2"], ["War", "Peace"], [("old",), ()])
        >>> value = pack(np.array([1]), np.array([0.5]), np.array([0]))
        >>> unpack(shop, value)[0].reason
        Reason(kind='because', item='a1', title='War')
    """
    rows = json.loads(value)
    reasons = [
        Reason("because", catalogue.items[source], catalogue.titles[source])
        for _, _, source in rows
    ]
    return listed(catalogue, [row[0] for row in rows], [row[1] for row in rows], reasons)
