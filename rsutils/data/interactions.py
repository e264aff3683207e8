"""The one table that every lesson passes around."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import sparse


@dataclass(frozen=True, eq=False)
class Interactions:
    """Aligned arrays, one entry an interaction; users and items are numbered from 0.

    Attributes:
        user: (n,) int32, 0 <= user < n_users.
        item: (n,) int32, 0 <= item < n_items.
        rating: (n,) float32; ones where the source knows only that something happened.
        timestamp: (n,) int64, seconds since 1970, or any number that grows with time.
        n_users: how many users exist, whether or not they occur here.
        n_items: how many items exist, whether or not they occur here.

    Raises:
        ValueError: the arrays differ in length, or an id lies outside its range.

    Example:
        >>> log = Interactions.of(user=[0, 0, 1], item=[2, 0, 1])
        >>> len(log), log.n_users, log.n_items
        (3, 2, 3)
        >>> log.to_csr().toarray()
        array([[1., 0., 1.],
               [0., 1., 0.]], dtype=float32)
    """

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    timestamp: np.ndarray
    n_users: int
    n_items: int

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"The columns differ in length: {lengths}; all must be aligned.")
        for name, size in (("user", self.n_users), ("item", self.n_items)):
            ids = getattr(self, name)
            if len(ids) and (ids.min() < 0 or ids.max() >= size):
                raise ValueError(
                    f"{name} ids run from {ids.min()} to {ids.max()}; expected 0 to {size - 1}. "
                    f"Number the {name}s from 0, or raise n_{name}s."
                )

    @classmethod
    def of(
        cls,
        user: np.ndarray,
        item: np.ndarray,
        rating: np.ndarray | None = None,
        timestamp: np.ndarray | None = None,
        n_users: int | None = None,
        n_items: int | None = None,
    ) -> Self:
        """Build from anything array-like; what is left out is filled in.

        Ratings become ones, timestamps the position in the table, and the numbers of users and
        items one more than the largest id.
        """
        user, item = np.asarray(user), np.asarray(item)
        return cls(
            user=user.astype(np.int32),
            item=item.astype(np.int32),
            rating=np.ones(len(user), np.float32)
            if rating is None
            else np.asarray(rating, np.float32),
            timestamp=np.arange(len(user), dtype=np.int64)
            if timestamp is None
            else np.asarray(timestamp, np.int64),
            n_users=int(user.max(initial=-1)) + 1 if n_users is None else n_users,
            n_items=int(item.max(initial=-1)) + 1 if n_items is None else n_items,
        )

    @classmethod
    def concatenate(cls, parts: "Sequence[Interactions]") -> Self:
        """The rows of several parts of one data set, one part after the other.

        Raises:
            ValueError: there is no part, or the parts differ in their numbers of users or items.
        """
        sizes = {(part.n_users, part.n_items) for part in parts}
        if len(sizes) != 1:
            raise ValueError(f"The parts have sizes {sorted(sizes)}; expected parts of one table.")
        columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS}
        return replace(parts[0], **columns)

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        return f"Interactions({len(self):,} by {self.n_users:,} users on {self.n_items:,} items)"

    def take(self, where: np.ndarray) -> Self:
        """The rows that a boolean mask or an array of positions selects; the sizes stay."""
        return replace(self, **{name: getattr(self, name)[where] for name in COLUMNS})

    def chronological(self) -> Self:
        """Sorted by user, then time; equal times keep their order in the table."""
        return self.take(np.lexsort((self.timestamp, self.user)))

    def pair_keys(self) -> np.ndarray:
        """One number a row, the same for the same pair: user * n_items + item, (n,) int64.

        Example:
            >>> Interactions.of(user=[0, 1, 1], item=[2, 0, 2]).pair_keys()
            array([2, 3, 5])
        """
        return self.user.astype(np.int64) * self.n_items + self.item

    def to_csr(self, binary: bool = True) -> sparse.csr_matrix:
        """The (n_users, n_items) float32 matrix: ones, or with ``binary=False`` the ratings.

        A pair that occurs several times counts once; of its ratings the last in the table stays.
        """
        keys = self.pair_keys()
        _, last = np.unique(keys[::-1], return_index=True)
        last = len(keys) - 1 - last
        values = np.ones(len(last), np.float32) if binary else self.rating[last]
        return sparse.csr_matrix(
            (values, (self.user[last], self.item[last])), shape=(self.n_users, self.n_items)
        )


COLUMNS = ("user", "item", "rating", "timestamp")
