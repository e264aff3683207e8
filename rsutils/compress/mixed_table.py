"""Long vectors for frequent ids, short ones for rare ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any, Self

import numpy as np

from rsutils.compress.compact_tables import CompactTable, projection
from rsutils.models.checks import check_counts, check_range

EXACT = 1 << 24
"""Up to here float32 holds every whole number."""


@dataclass(frozen=True, eq=False)
class MixedTable(CompactTable):
    """Blocks of ids of like popularity, each with vectors of a length of its own, projected up.

    Ginart et al. 2021, "Mixed dimension embeddings with application to memory-efficient
    recommendation systems" (arXiv:1909.11810, section 3). A rare id has too few examples to learn
    many numbers from, and is seldom asked for.

    Ids that are numbered by popularity need nothing else. Others need their place in that order, a
    constant number for each id, which is stored but not learnt.

    Attributes:
        sizes: ids in each block, the most frequent ones first; they add up to ``n_ids``.
        lengths: of the vectors of each block, from 1 to ``dimensions``. A block of full length has
            no projection.
        places: (n_ids,) place of each id in the order of popularity, from 0; None where id 0 is the
            most frequent, and so on.

    Raises:
        ValueError: blocks, lengths or places do not fit, or there are more than 2^24 ids, whose
            places float32 cannot hold.

    Example:
        >>> table = MixedTable.of(counts=[1, 9, 2, 80], dimensions=8, blocks=2)
        >>> table.sizes, table.lengths, table.places.tolist(), table.parameters
        ((1, 3), (8, 3), [3, 1, 2, 0], 41)
    """

    sizes: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    places: np.ndarray | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(**{f"sizes[{n}]": size for n, size in enumerate(self.sizes)})
        check_counts(**{f"lengths[{n}]": length for n, length in enumerate(self.lengths)})
        if len(self.sizes) != len(self.lengths) or sum(self.sizes) != self.n_ids:
            raise ValueError(
                f"sizes is {self.sizes} and lengths is {self.lengths}; expected as many of one as "
                f"of the other, and sizes that add up to n_ids, {self.n_ids}."
            )
        if max(self.lengths) > self.dimensions:
            raise ValueError(f"lengths is {self.lengths}; expected at most {self.dimensions}.")
        if self.n_ids > EXACT:
            raise ValueError(f"n_ids is {self.n_ids}; expected at most {EXACT}.")
        if self.places is not None:
            places = np.sort(np.asarray(self.places))
            if not np.array_equal(places, np.arange(self.n_ids)):
                raise ValueError(
                    f"places hold other numbers than 0 to {self.n_ids - 1}, each once."
                )

    @classmethod
    def of(
        cls,
        counts: Sequence[int] | np.ndarray,
        dimensions: int,
        blocks: int = 4,
        temperature: float = 0.3,
        **common: Any,
    ) -> Self:
        """Blocks that occur about equally often, with lengths by how often an id of each does.

        The length is ``dimensions`` for the first block, and falls with the power ``temperature``
        of the mean count (section 3.2 there): 0 gives all the same, 1 a tenth of the length to ids
        that are ten times as rare.

        Args:
            counts: (n_ids,) how often each id occurs.
            dimensions: of the vectors that come out.
            blocks: how many; fewer come out where some would be empty.
            temperature: the power, from 0.
            **common: ``stddev`` and ``seed``.

        Raises:
            ValueError: counts are negative, not finite or missing, or an argument is out of range.
        """
        counts = np.asarray(counts, float)
        if counts.ndim != 1 or not counts.size or not np.isfinite(counts).all() or min(counts) < 0:
            raise ValueError("counts must be one number for each id, finite, and at least 0.")
        check_counts(blocks=blocks, dimensions=dimensions)
        check_range(0, float("inf"), temperature=temperature)
        order = np.argsort(-counts, kind="stable")
        # An id that was never seen counts as one, so that some length is left for it.
        mass = np.maximum(counts[order], 1.0)
        share = np.cumsum(mass) / mass.sum()
        edges = np.searchsorted(share, np.arange(1, blocks) / blocks - 1e-9) + 1
        edges = np.unique([0, *edges, len(counts)])
        means = np.array([mass[a:b].mean() for a, b in pairwise(edges)])
        lengths = np.rint(dimensions * (means / means[0]) ** temperature).clip(1)
        places = np.empty(len(counts), np.int64)
        places[order] = np.arange(len(counts))
        return cls(
            len(counts),
            dimensions,
            sizes=tuple(np.diff(edges).tolist()),
            lengths=tuple(lengths.astype(int).tolist()),
            places=None if (order == np.arange(len(order))).all() else places,
            **common,
        )

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        up = sum(d * self.dimensions for d in self.lengths if d < self.dimensions)
        return up + sum(n * d for n, d in zip(self.sizes, self.lengths, strict=True))

    @property
    def constants(self) -> int:
        """How many numbers are stored besides, which nothing learns."""
        return 0 if self.places is None else self.n_ids

    def __call__(self, K: ModuleType, ids: Any, name: str) -> Any:
        """Add the layers of the table; see :class:`CompactTable`."""
        place, vectors, start = self._place(K, ids, name), [], 0
        for number, (size, length) in enumerate(zip(self.sizes, self.lengths, strict=True), 1):
            block = f"{name}_{number}"
            row = _between(K, place, start, size - 1, f"{block}_row")
            vector = self._embedding(K, size, length, f"{block}_table", part=number)(row)
            if length < self.dimensions:
                vector = projection(K, self.dimensions, f"{block}_up", self.seed + number)(vector)
            if len(self.sizes) > 1:
                inside = self._inside(K, place, start, size, block)
                vector = K.layers.Multiply(name=f"{block}_only")([vector, inside])
            vectors.append(vector)
            start += size
        if len(vectors) > 1:
            return K.layers.Add(name=name)(vectors)
        return K.layers.Activation("linear", name=name)(vectors[0])

    def _place(self, K: ModuleType, ids: Any, name: str) -> Any:
        """The place of each id in the order of popularity, float32, of the shape of ``ids``."""
        if self.places is None:
            return K.layers.Rescaling(1.0, name=f"{name}_place")(ids)
        lookup = K.layers.Embedding(self.n_ids, 1, trainable=False, name=f"{name}_places")
        found = lookup(ids)
        lookup.set_weights([np.asarray(self.places, np.float32)[:, None]])
        return K.layers.Reshape(tuple(ids.shape[1:]), name=f"{name}_place")(found)

    def _inside(self, K: ModuleType, place: Any, start: int, size: int, block: str) -> Any:
        """1 for ids of the block, 0 for others: the shape of ``place`` + (1,)."""
        reached = _between(K, place, start - 1, 1, f"{block}_reached")
        passed = _between(K, place, start + size - 1, 1, f"{block}_passed")
        inside = K.layers.Subtract(name=f"{block}_inside")([reached, passed])
        return K.layers.Reshape((*place.shape[1:], 1), name=f"{block}_mask")(inside)


def _between(K: ModuleType, place: Any, start: int, top: int, name: str) -> Any:
    """``place - start``, clipped to 0 and ``top``."""
    moved = K.layers.Rescaling(1.0, offset=-float(start), name=f"{name}_moved")(place)
    return K.layers.ReLU(max_value=float(top), name=name)(moved)
