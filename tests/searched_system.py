"""A served system with more items than candidates, so that its index decides what is shown."""

import numpy as np
import pandas as pd
import pytest

from rsutils.data.dataset import Dataset
from rsutils.data.interactions import Interactions
from rsutils.serve import building
from tests.small_system import GENRES

N, EACH, CANDIDATES = 300, 10, 20
"""Users and items, items that a user takes, and candidates."""
KINDS = (
    ("hnsw", {}),
    ("ivf_pq", {"lists": 8, "probes": 8, "candidates": N}),
    ("exact", {"pruning": False}),
)
"""Indexes of this system that find all candidates: with each of them lists are the same."""
TOO_LITTLE = ("hnsw", {"neighbours": 2, "build_expansion": 1, "expansion": 1})
"""One that finds too few of them."""


def searched_dataset():
    """Users who stay in one genre and skip some items of it."""
    rng = np.random.default_rng(0)
    item = []
    for each in range(N):
        own = np.flatnonzero(np.arange(N) % len(GENRES) == each % len(GENRES))
        places = rng.integers(len(own)) + np.cumsum(rng.integers(1, 5, EACH))
        item += own[places % len(own)].tolist()
    user, time = np.repeat(np.arange(N), EACH), np.tile(np.arange(EACH), N)
    log = Interactions.of(user, item, timestamp=time, n_users=N, n_items=N)
    genres = [GENRES[number % len(GENRES)] for number in range(N)]
    titles = [f"Film {number}" for number in range(N)]
    return Dataset("searched", log, items=pd.DataFrame({"title": titles, "genres": genres}))


def searched_system(folder):
    """The folder, with a system in it that is searched exactly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "CANDIDATES", CANDIDATES)
        return building.build_system(searched_dataset(), folder, variants=("fp32",), progress=False)
