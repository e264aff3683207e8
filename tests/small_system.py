"""A served system over a few users and items, built as a large one is."""

from pathlib import Path

import numpy as np
import pandas as pd

from rsutils.data.dataset import Dataset
from rsutils.data.interactions import Interactions
from rsutils.serve.building import build_system

N_USERS, N_ITEMS = 60, 40
GENRES = ("War", "Love", "Space")


def small_dataset(seed: int = 0) -> Dataset:
    """Users who stay in one genre and mostly take the item after the one before."""
    rng = np.random.default_rng(seed)
    user, item, time = [], [], []
    for each in range(N_USERS):
        own = np.flatnonzero(np.arange(N_ITEMS) % len(GENRES) == each % len(GENRES))
        start = rng.integers(len(own))
        taken = own[(start + np.arange(8)) % len(own)]
        user += [each] * len(taken)
        item += taken.tolist()
        time += range(len(taken))
    log = Interactions.of(user, item, timestamp=time, n_users=N_USERS + 1, n_items=N_ITEMS)
    titles = [f"Film {number}" for number in range(N_ITEMS)]
    titles[5] = "<img src=x onerror=alert(1)>"
    genres = [GENRES[number % len(GENRES)] for number in range(N_ITEMS)]
    items = pd.DataFrame({"title": titles, "genres": genres})
    return Dataset("small", log, items=items)


def small_system(folder: Path, seed: int = 0, index: str = "exact") -> Path:
    """The folder, with a system in it."""
    return build_system(small_dataset(), folder, index, seed=seed, progress=False)
