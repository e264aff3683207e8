"""What lists of recommendations do to the catalogue: who gets seen, and how surprising it is.

All take lists as ``Recommender.recommend`` gives them: (n, k) item numbers, -1 for an empty place.
"""

import numpy as np


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that is recommended to anyone at all, between 0 and 1.

    Example:
        >>> coverage([[0, 1], [0, 2]], n_items=6)
        0.5
    """
    return float(np.count_nonzero(_exposure(lists, n_items)) / n_items)


def gini(lists: np.ndarray, n_items: int) -> float:
    """How unequally exposure is spread over the catalogue: 0 for evenly, near 1 for one item.

    The Gini index of the number of times each item is recommended, items without any included.

    Example:
        >>> gini([[0], [1], [2], [3]], n_items=4), gini([[0], [0], [0], [0]], n_items=4)
        (0.0, 0.75)
    """
    seen = np.sort(_exposure(lists, n_items))
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float(weights @ seen / (n_items * seen.sum()))


def novelty(lists: np.ndarray, popularity: np.ndarray) -> float:
    """Mean self-information of what is recommended, in bits: rare items carry more.

    An item that a share p of all interactions is about carries -log2(p) (Zhou et al. 2010,
    "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 107(10),
    pp. 4511-4515). An item without interactions counts as one with a single interaction.

    Args:
        lists: (n, k) recommendations.
        popularity: (n_items,) training interactions of each item.

    Example:
        >>> novelty([[0, 1]], popularity=[4, 4])
        1.0
    """
    popularity = np.asarray(popularity, np.float64)
    exposure = _exposure(lists, len(popularity))
    bits = -np.log2(np.maximum(popularity, 1.0) / popularity.sum())
    return float(exposure @ bits / exposure.sum())


def _exposure(lists: np.ndarray, n_items: int) -> np.ndarray:
    """(n_items,) how often each item occurs in the lists."""
    items = np.asarray(lists).ravel()
    items = items[items != -1]
    if not len(items):
        raise ValueError("The lists recommend nothing; expected at least one item.")
    if items.min() < 0 or items.max() >= n_items:
        raise ValueError(
            f"Recommended items run from {items.min()} to {items.max()}; expected 0 to "
            f"{n_items - 1}, or -1 for an empty place."
        )
    return np.bincount(items, minlength=n_items)
