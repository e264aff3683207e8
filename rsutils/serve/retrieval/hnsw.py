"""HNSW: a graph in layers, walked greedily towards better neighbours."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np

from rsutils.models.checks import check_counts, check_range
from rsutils.serve.retrieval.approximate import ApproximateIndex, faiss_threads
from rsutils.serve.retrieval.base import norms_of
from rsutils.serve.retrieval.exact import ExactIndex

FILE = "graph.faiss"


class HNSWIndex(ApproximateIndex):
    """A graph whose edges and walks go by the inner product itself.

    Edges are made and walked as in Malkov and Yashunin (2018, "Efficient and robust approximate
    nearest neighbor search using HNSW graphs", algorithms 1 to 5).

    The inner product is no metric: a graph made by it has many edges to long vectors, and lacks a
    way to short ones. One made by angles has a way to all of them, but a longer one to those that
    are asked for (Liu et al. 2020, "Understanding and improving proximity graph based maximum inner
    product search", section 4). Edges are therefore made by inner products of vectors v /
    ||v||^balance, in between, and walked by those of v. To make vectors equally long with one more
    dimension (Bachrach et al. 2014, "Speeding up the Xbox recommender system", section 3) lends the
    inner product a metric, and finds less than any balance: ``benchmarks.retrieval`` measures it.

    The vectors stand in the graph's file, and the exact search reads them there.

    Example:
        >>> vectors = np.random.default_rng(0).standard_normal((500, 8))
        >>> index = HNSWIndex.build(vectors)
        >>> queries = vectors[:5]
        >>> bool((index.search(queries, 3)[0] == index.exact.search(queries, 3)[0]).all())
        True
    """

    kind = "hnsw"
    exact_share = 0.25

    @classmethod
    def build(
        cls,
        vectors: np.ndarray,
        neighbours: int = 16,
        build_expansion: int = 200,
        expansion: int | None = None,
        balance: float = 0.65,
        threads: int = 1,
    ) -> "HNSWIndex":
        """A graph over ``vectors``.

        Args:
            vectors: (n_items, d) real numbers, n_items at least 1.
            neighbours: edges of an item in each layer, M; twice as many in the lowest.
            build_expansion: candidates kept while an item is put in, efConstruction.
            expansion: candidates kept in a search, efSearch; at least twice what is asked for. None
                for half the square root of the items, at least 100.
            balance: 0 for edges by inner product, 1 for edges by angle; where a hundred items are
                asked for at a time, 1 finds more.
            threads: that build; with more than one, each build gives another graph.

        Raises:
            ValueError: there are no vectors, or they are not finite, or a setting is below 1.
        """
        exact = ExactIndex.build(vectors)
        if expansion is None:
            expansion = max(100, round(exact.n_items**0.5 / 2))
        settings = {
            "neighbours": neighbours,
            "build_expansion": build_expansion,
            "expansion": expansion,
            "threads": threads,
        }
        check_counts(**settings)
        check_range(0, 1, balance=balance)
        if neighbours < 2:
            raise ValueError(f"neighbours is {neighbours}; expected at least 2.")
        index = faiss.IndexHNSWFlat(exact.dimensions, neighbours, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = build_expansion
        with faiss_threads(threads):
            index.add(_balanced(exact.rows, balance))
        _rows(index)[:] = exact.rows
        over = _exact_over(index, exact.order, exact.norms)
        return cls(index, over, {**settings, "balance": balance})

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that a search may read, whether they lie in memory or are mapped."""
        graph = self._index.hnsw
        links = 4 * graph.neighbors.size() + 8 * graph.offsets.size() + 4 * graph.levels.size()
        return self.exact.nbytes + links

    def _nearest(
        self,
        queries: np.ndarray,
        k: int,
        more: int,
        selector: faiss.IDSelector | None,
        share: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        # What is not allowed takes part in the walk, and its share of the candidates.
        expansion = round(max(self.settings["expansion"], 2 * k + more) / share)
        # Options are kept: to make them anew takes a part of a search's time.
        make = _options if selector is None else _options.__wrapped__
        options = make(expansion, selector)
        scores, rows = self._index.search(queries, k + more, params=options)
        return rows, scores

    def _write(self, folder: Path) -> None:
        faiss.write_index(self._index, str(folder / FILE))
        for name in ("order", "norms"):
            np.save(folder / f"{name}.npy", getattr(self.exact, name), allow_pickle=False)

    @classmethod
    def _read(cls, folder: Path, settings: dict[str, Any], memory_map: bool) -> Self:
        index = faiss.read_index(str(folder / FILE), faiss.IO_FLAG_MMAP_IFC if memory_map else 0)
        order, norms = (
            np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("order", "norms")
        )
        return cls(index, _exact_over(index, order, norms), settings)


@lru_cache(maxsize=256)
def _options(
    expansion: int, selector: faiss.IDSelector | None = None
) -> faiss.SearchParametersHNSW:
    return faiss.SearchParametersHNSW(efSearch=expansion, sel=selector)


def _balanced(rows: np.ndarray, balance: float) -> np.ndarray:
    """``rows`` over the ``balance``-th power of their norms."""
    norms = norms_of(rows)[:, None]
    scale = np.where(norms > 0, norms, 1) ** -balance
    return rows * scale.astype(np.float32)


def _rows(index: faiss.Index) -> np.ndarray:
    """The vectors that lie in a faiss index, (n, d), as long as it is kept."""
    storage = faiss.downcast_index(index.storage)
    return faiss.rev_swig_ptr(storage.get_xb(), index.ntotal * index.d).reshape(-1, index.d)


def _exact_over(index: faiss.Index, order: np.ndarray, norms: np.ndarray) -> ExactIndex:
    """An exact search over the vectors that lie in a faiss index."""
    settings = {"precision": "float32", "pruning": True}
    rows = _rows(index)
    rows.flags.writeable = False
    exact = ExactIndex(rows, order, norms, settings)
    exact.owner = index
    return exact
