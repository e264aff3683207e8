"""Embedding tables with fewer numbers than ids times dimensions.

Each table is a small configuration. Called with ``K``, ids and a name it adds layers to a
functional model, and ``parameters`` says beforehand how many numbers these learn. There are
standard layers and whole-number arithmetic only, so that a model with such tables has a twin, saves
without custom objects, and exports to ONNX and LiteRT.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rsutils.compress.collisions import UniversalHash
from rsutils.models.checks import check_counts, check_positive, check_range

MODES = ("product", "sum", "concat")
"""How the two vectors of a :class:`QuotientRemainderTable` become one."""


@dataclass(frozen=True)
class CompactTable:
    """What all compact tables have in common; by itself the full table, a row an id.

    Attributes:
        n_ids: ids run from 0 to below this.
        dimensions: length of a vector.
        stddev: standard deviation of the first vectors' numbers.
        seed: of the first vectors.

    Raises:
        ValueError: a size is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> ids = keras.Input((), dtype="int32", name="item")
        >>> table = QuotientRemainderTable(n_ids=10_000, dimensions=8, remainders=100)
        >>> model = keras.Model(ids, table(keras, ids, "factors"))
        >>> model(np.array([7, 9_999])).shape, table.parameters, model.count_params()
        (TensorShape([2, 8]), 1600, 1600)
    """

    n_ids: int
    dimensions: int
    stddev: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(n_ids=self.n_ids, dimensions=self.dimensions)
        check_positive(stddev=self.stddev)

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return self.n_ids * self.dimensions

    @property
    def constants(self) -> int:
        """How many numbers are stored besides, which nothing learns."""
        return 0

    def __call__(self, K: ModuleType, ids: Any, name: str) -> Any:
        """Add the layers of the table to a functional model.

        Args:
            K: ``keras`` or ``tf_keras``.
            ids: a Keras tensor of int32, of any shape; all below ``n_ids``.
            name: of the last layer; the others' names begin with it.

        Returns:
            A Keras tensor of the shape of ``ids`` + (dimensions,).
        """
        return self._embedding(K, self.n_ids, self.dimensions, name)(ids)

    def _embedding(
        self, K: ModuleType, rows: int, dimensions: int, name: str, part: int = 0, mean: float = 0.0
    ) -> Any:
        start = K.initializers.RandomNormal(mean, self.stddev, seed=self.seed + part)
        return K.layers.Embedding(rows, dimensions, embeddings_initializer=start, name=name)


@dataclass(frozen=True)
class HashedTable(CompactTable):
    """The hashing trick: ids that fall into one bucket share a vector.

    Weinberger et al. 2009, "Feature hashing for large scale multitask learning" (arXiv:0902.2206,
    section 2). With two functions each id adds up the vectors of two buckets of one table, and few
    ids agree in both (Svenstrup et al. 2017, "Hash embeddings", arXiv:1709.03933, section 2, there
    with learnt weights). :func:`share_colliding` says how few.

    Attributes:
        buckets: rows of the table, at most ``n_ids``.
        functions: 1 or 2 hash functions.
        universal: draw the functions by ``seed``; else the one function is ``id % buckets``.
    """

    buckets: int = 1
    functions: int = 1
    universal: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(buckets=self.buckets)
        check_range(1, 2 if self.universal else 1, functions=self.functions)
        _refuse_longer("buckets", self.buckets, self.n_ids)
        self.hashes()

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return self.buckets * self.dimensions

    def hashes(self) -> list[UniversalHash]:
        """The functions that were drawn; none where ids are taken modulo ``buckets``."""
        each = range(self.functions if self.universal else 0)
        return [UniversalHash.draw(self.n_ids, self.buckets, self.seed + n) for n in each]

    def __call__(self, K: ModuleType, ids: Any, name: str) -> Any:
        """Add the layers of the table; see :class:`CompactTable`."""
        if not self.universal:
            return self._embedding(K, self.buckets, self.dimensions, name)(ids % self.buckets)
        only = self.functions == 1
        table = self._embedding(K, self.buckets, self.dimensions, name if only else f"{name}_pool")
        vectors = [table(function(ids)) for function in self.hashes()]
        return vectors[0] if only else K.layers.Add(name=name)(vectors)


@dataclass(frozen=True)
class QuotientRemainderTable(CompactTable):
    """Two small tables, read at id // r and id % r: no two ids have both rows in common.

    Shi et al. 2020, "Compositional embeddings using complementary partitions" (arXiv:1909.02107,
    sections 2 and 4). At least 2 sqrt(n_ids) rows are needed, at r = sqrt(n_ids).

    Attributes:
        remainders: r, the rows of the second table, at most ``n_ids``.
        mode: ``"product"`` multiplies the two vectors, ``"sum"`` adds them, ``"concat"`` joins
            halves of them.
    """

    remainders: int = 1
    mode: str = "product"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(remainders=self.remainders)
        _refuse_longer("remainders", self.remainders, self.n_ids)
        if self.mode not in MODES:
            raise ValueError(f"mode is {self.mode!r}; expected one of {', '.join(MODES)}.")
        if self.mode == "concat" and self.dimensions < 2:
            raise ValueError("dimensions is 1; 'concat' needs at least 2, one of each table.")

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of the tables of quotients and of remainders."""
        return -(-self.n_ids // self.remainders), self.remainders

    @property
    def lengths(self) -> tuple[int, int]:
        """Dimensions of the two tables."""
        if self.mode != "concat":
            return self.dimensions, self.dimensions
        return self.dimensions // 2, self.dimensions - self.dimensions // 2

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return sum(n * d for n, d in zip(self.rows, self.lengths, strict=True))

    def __call__(self, K: ModuleType, ids: Any, name: str) -> Any:
        """Add the layers of the table; see :class:`CompactTable`."""
        places = {"quotient": ids // self.remainders, "remainder": ids % self.remainders}
        # Factors near 1 leave the product as large as one vector; two small ones would vanish.
        mean = float(self.mode == "product")
        vectors = [
            self._embedding(K, rows, length, f"{name}_{part}", n, mean * (n == 0))(place)
            for n, ((part, place), rows, length) in enumerate(
                zip(places.items(), self.rows, self.lengths, strict=True)
            )
        ]
        join = {"product": "Multiply", "sum": "Add", "concat": "Concatenate"}[self.mode]
        return getattr(K.layers, join)(name=name)(vectors)


@dataclass(frozen=True)
class LowRankTable(CompactTable):
    """A narrow table times a projection that all ids share.

    Lan et al. 2020, "ALBERT" (arXiv:1909.11942, section 3.1, factorized embedding
    parameterization).

    Attributes:
        rank: length of a row of the narrow table, below ``dimensions``.
    """

    rank: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(rank=self.rank)
        if self.rank >= self.dimensions:
            raise ValueError(
                f"rank is {self.rank}; expected less than dimensions, {self.dimensions}: else the "
                "two tables hold more numbers than one."
            )

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return (self.n_ids + self.dimensions) * self.rank

    def __call__(self, K: ModuleType, ids: Any, name: str) -> Any:
        """Add the layers of the table; see :class:`CompactTable`."""
        narrow = self._embedding(K, self.n_ids, self.rank, f"{name}_narrow")(ids)
        return projection(K, self.dimensions, name, self.seed + 1)(narrow)


def projection(K: ModuleType, dimensions: int, name: str, seed: int) -> Any:
    """A layer from short vectors to vectors of ``dimensions``, without a bias."""
    start = K.initializers.GlorotUniform(seed=seed)
    return K.layers.Dense(dimensions, use_bias=False, kernel_initializer=start, name=name)


def _refuse_longer(name: str, rows: int, n_ids: int) -> None:
    if rows > n_ids:
        raise ValueError(
            f"{name} is {rows}; expected at most n_ids, {n_ids}: else a full table is smaller."
        )
