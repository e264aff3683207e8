"""What ``benchmarks.retrieval`` compares: our indexes, and others behind the same calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import faiss
import numpy as np

from rsutils.serve.retrieval import ItemIndex, build_index

BUILD_THREADS = 2


class Searcher(Protocol):
    """Something that finds items, with more or less effort."""

    nbytes: int

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Items of the k best: (n, k)."""

    def set_effort(self, effort: int) -> None:
        """How much a search does."""


class OurIndex:
    """An index of ``rsutils``; its effort is one of its settings."""

    def __init__(self, index: ItemIndex, setting: str = "") -> None:
        self.index, self.setting, self.nbytes = index, setting, index.nbytes

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Items of the k best: (n, k)."""
        return self.index.search(queries, k)[0]

    def set_effort(self, effort: int) -> None:
        """How much a search does."""
        self.index.settings = {**self.index.settings, self.setting: effort}


class FaissFlat:
    """A scan by faiss, of vectors that lie in memory anyway."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors, self.nbytes = vectors, vectors.nbytes

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Items of the k best: (n, k)."""
        return faiss.knn(queries, self.vectors, k, metric=faiss.METRIC_INNER_PRODUCT)[1]

    def set_effort(self, effort: int) -> None:
        """A scan knows no effort."""


class EqualNorms:
    """HNSW by Euclidean distance, one more dimension making all vectors equally long."""

    def __init__(self, vectors: np.ndarray) -> None:
        squares = np.square(vectors, dtype=np.float64).sum(axis=1)
        rest = np.sqrt(squares.max() - squares)[:, None].astype(np.float32)
        self.graph = faiss.IndexHNSWFlat(vectors.shape[1] + 1, 16, faiss.METRIC_L2)
        self.graph.hnsw.efConstruction = 200
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(BUILD_THREADS)
        self.graph.add(np.hstack([vectors, rest]))
        faiss.omp_set_num_threads(before)
        self.nbytes = 4 * (vectors.size + len(vectors) + self.graph.hnsw.neighbors.size())

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Items of the k best: (n, k)."""
        longer = np.hstack([queries, np.zeros((len(queries), 1), np.float32)])
        return self.graph.search(longer, k)[1]

    def set_effort(self, effort: int) -> None:
        """Candidates that a search keeps."""
        self.graph.hnsw.efSearch = effort


class USearch:
    """HNSW by the inner product, of another library."""

    def __init__(self, vectors: np.ndarray) -> None:
        from usearch.index import Index

        self.graph = Index(
            ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=16, expansion_add=200
        )
        self.graph.add(np.arange(len(vectors)), vectors, threads=BUILD_THREADS)
        self.nbytes = self.graph.memory_usage

    def search(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Items of the k best: (n, k)."""
        return self.graph.search(queries, k, threads=1).keys.reshape(len(queries), k)

    def set_effort(self, effort: int) -> None:
        """Candidates that a search keeps."""
        self.graph.expansion_search = effort


@dataclass(frozen=True)
class Family:
    """An index that is built once and searched with several efforts.

    Attributes:
        build: over (n, d) vectors.
        efforts: how much a search does; none for what knows no effort.
    """

    build: Callable[[np.ndarray], Searcher]
    efforts: Sequence[int] = ()


def _ours(kind: str, effort: str = "", **settings: Any) -> Callable[[np.ndarray], Searcher]:
    return lambda vectors: OurIndex(build_index(kind, vectors, **settings), effort)


EXPANSIONS = (64, 80, 128, 256, 320, 512)
OF_VARIANTS = (80, 128)
FAMILIES: Mapping[str, Family] = {
    "numpy_scan": Family(_ours("exact", pruning=False)),
    "faiss_flat": Family(FaissFlat),
    "exact": Family(_ours("exact")),
    "hnsw": Family(_ours("hnsw", "expansion", threads=BUILD_THREADS), EXPANSIONS),
    "hnsw_32_neighbours": Family(
        _ours("hnsw", "expansion", neighbours=32, threads=BUILD_THREADS), EXPANSIONS
    ),
    "hnsw_inner_product": Family(
        _ours("hnsw", "expansion", balance=0, threads=BUILD_THREADS), OF_VARIANTS
    ),
    "hnsw_angle": Family(_ours("hnsw", "expansion", balance=1, threads=BUILD_THREADS), OF_VARIANTS),
    "hnsw_equal_norms": Family(EqualNorms, OF_VARIANTS),
    "ivf_pq": Family(_ours("ivf_pq", "probes", threads=BUILD_THREADS), (8, 32, 128, 160)),
    "usearch": Family(USearch, EXPANSIONS),
}
SCANS = ("numpy_scan", "faiss_flat")
"""Those that read every vector; the faster one is what the others are held against."""
