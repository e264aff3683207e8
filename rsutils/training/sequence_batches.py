"""What models of sequences train on: each user's last items, padded no further than needed."""

from dataclasses import dataclass

import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.training.batches import EpochBatches

NO_ITEM = 0
"""Stands in a padded sequence where there is no item; items themselves count from 1."""
STEP = 25
"""Widths of batches are multiples of this, so that the graph sees few different ones."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """Every user's items in order of time, as one flat array.

    Attributes:
        token: (n,) int32, items counted from 1, user after user.
        start: (n_users + 1,) int64; user u has ``token[start[u]:start[u + 1]]``.
        n_items: how many items exist.

    Example:
        >>> log = Interactions.of(user=[1, 0, 1], item=[4, 2, 0], timestamp=[2, 5, 1])
        >>> Sequences.of(log).padded([0, 1], length=3)
        array([[3, 0, 0],
               [1, 5, 0]], dtype=int32)
    """

    token: np.ndarray
    start: np.ndarray
    n_items: int

    @classmethod
    def of(cls, interactions: Interactions) -> "Sequences":
        """The users' histories; equal times keep their order in the table."""
        log = interactions.chronological()
        start = np.zeros(log.n_users + 1, np.int64)
        np.cumsum(np.bincount(log.user, minlength=log.n_users), out=start[1:])
        return cls(log.item + np.int32(1), start, log.n_items)

    def lengths(self) -> np.ndarray:
        """How many items each user has: (n_users,) int64."""
        return np.diff(self.start)

    def padded(self, users: np.ndarray, length: int) -> np.ndarray:
        """The last ``length`` items of each user, 0 behind them where there are fewer.

        Returns:
            (len(users), length) int32.
        """
        users = np.asarray(users)
        stop = self.start[users + 1]
        first = np.maximum(stop - length, self.start[users])
        at = first[:, None] + np.arange(length)
        inside = at < stop[:, None]
        if not len(self.token):
            return np.zeros(at.shape, np.int32)
        return np.where(inside, self.token[np.minimum(at, len(self.token) - 1)], NO_ITEM)


def places(item: np.ndarray, length: int) -> np.ndarray:
    """The place of each item, counted so that a sequence's last one is always ``length``.

    Args:
        item: (n, m) items counted from 1, 0 where there is none.
        length: most items that the model looks at.

    Returns:
        (n, m) int32, 0 where there is no item.

    Example:
        >>> places(np.array([[7, 8, 9], [7, 0, 0]]), length=5)
        array([[3, 4, 5],
               [5, 0, 0]], dtype=int32)
    """
    present = item != NO_ITEM
    back = present.sum(axis=1, keepdims=True) - np.arange(item.shape[1])
    return np.where(present, length + 1 - back, 0).astype(np.int32)


class LengthBatches(EpochBatches):
    """Mini-batches of users whose sequences are of like length, so that little is padding.

    Args:
        sequences: the users' histories.
        places: (n_users,) places that each user fills; more than ``length`` are cut off. Users with
            fewer than two items are left out.
        length: most places.
        batch_size: users a batch.
        seed: of the order.

    Attributes:
        mean_places: how many places a batch of ``batch_size`` users fills, in the mean.
    """

    one_width = False

    def __init__(
        self,
        sequences: Sequences,
        places: np.ndarray,
        length: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.sequences = sequences
        self.length = length
        self.batch_size = batch_size
        self.users = np.flatnonzero(sequences.lengths() > 1)
        self.width = np.minimum(-(-places // STEP) * STEP, length)
        filled = np.minimum(places[self.users], length)
        self.mean_places = batch_size * float(filled.mean()) if len(filled) else 0.0
        super().__init__(seed)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw who shares a batch, and the order of the batches."""
        users = rng.permutation(self.users)
        users = users[np.argsort(self.width[users], kind="stable")]
        batches = np.split(users, np.arange(self.batch_size, len(users), self.batch_size))
        self.batches = [batches[index] for index in rng.permutation(len(batches))]

    def widest(self, users: np.ndarray) -> int:
        """Places that a batch of these users needs."""
        return int(self.width[users].max())

    def __len__(self) -> int:
        return -(-len(self.users) // self.batch_size)


class NextItemBatches(LengthBatches):
    """Mini-batches of users: their items, and at every place the item that came next.

    Args:
        sequences: the users' histories; users with one item are left out.
        length: most items of a user that something follows.
        batch_size: users a batch.
        seed: of the order.
    """

    def __init__(self, sequences: Sequences, length: int, batch_size: int, seed: int) -> None:
        super().__init__(sequences, sequences.lengths() - 1, length, batch_size, seed)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        users = self.batches[index]
        pair = self.sequences.padded(users, self.widest(users) + 1)
        target = pair[:, 1:]
        item = np.where(target != NO_ITEM, pair[:, :-1], NO_ITEM)
        return {"item": item, "place": places(item, self.length)}, target
