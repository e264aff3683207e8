"""IVF-PQ: a few lists of compressed vectors are scanned, and the best are scored again in full."""

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np

from rsutils.models.checks import check_counts
from rsutils.serve.retrieval.approximate import ApproximateIndex, faiss_threads
from rsutils.serve.retrieval.exact import ExactIndex

FILE = "lists.faiss"
CODES = 256
"""Values of one byte, centroids of each part of a vector."""
LARGEST_TRAINING = 64
"""Vectors for each list that k-means learns from at most."""


class IVFPQIndex(ApproximateIndex):
    """Lists around k-means centroids, and a byte for each part of a vector.

    A query scans the ``probes`` lists whose centroids have the largest inner products with it, in
    compressed vectors (Jégou, Douze and Schmid 2011, "Product quantization for nearest neighbor
    search", sections III and IV). The best ``candidates`` are scored again by the whole vectors,
    which need not be in memory: few of them are read, and they may be mapped from a file.
    Centroids have a norm of 1: lists then differ in direction, and long vectors do not draw all
    queries to the lists that they are in.

    Example:
        >>> vectors = np.random.default_rng(0).standard_normal((2000, 8))
        >>> index = IVFPQIndex.build(vectors, probes=40)
        >>> queries = vectors[:5]
        >>> bool((index.search(queries, 3)[0] == index.exact.search(queries, 3)[0]).all())
        True
        >>> index.compressed_bytes < vectors.astype("float32").nbytes
        True
    """

    kind = "ivf_pq"
    exact_share = 0.03

    @classmethod
    def build(
        cls,
        vectors: np.ndarray,
        lists: int | None = None,
        parts: int | None = None,
        probes: int | None = None,
        candidates: int | None = None,
        precision: str = "float32",
        seed: int = 0,
        threads: int = 1,
    ) -> "IVFPQIndex":
        """Lists over ``vectors``.

        Args:
            vectors: (n_items, d) real numbers, n_items at least 256.
            lists: how many; None for the square root of the items.
            parts: bytes of a compressed vector, a divisor of d; None for d / 4 or nearly so.
            probes: lists that a query scans; None for an eighth of them, at least 32.
            candidates: scored again in full, at least twice what is asked for; None for the square
                root of the items, at least 200.
            precision: of the whole vectors, ``"float32"`` or ``"float16"``.
            seed: of k-means.
            threads: that build.

        Raises:
            ValueError: there are too few vectors, or they are not finite, or a setting is out of
                its range.
        """
        exact = ExactIndex.build(vectors, precision)
        n, d = exact.n_items, exact.dimensions
        if n < CODES:
            raise ValueError(f"{n} vectors are too few for IVF-PQ; expected at least {CODES}.")
        lists = round(n**0.5) if lists is None else lists
        parts = _default_parts(d) if parts is None else parts
        probes = min(lists, max(32, lists // 8)) if probes is None else probes
        candidates = max(200, round(n**0.5)) if candidates is None else candidates
        check_counts(lists=lists, parts=parts, probes=probes, candidates=candidates)
        if d % parts or not max(probes, 1) <= lists <= n:
            raise ValueError(
                f"parts is {parts}, probes {probes}, lists {lists}; expected parts that divide "
                f"{d} dimensions, and no more probes than lists than {n} vectors."
            )
        settings = {
            "lists": lists,
            "parts": parts,
            "probes": probes,
            "candidates": candidates,
            "precision": precision,
            "seed": seed,
            "threads": threads,
        }
        with faiss_threads(threads):
            index = _filled(exact, lists, parts, seed)
        return cls(index, exact, settings)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that a search may read, whether they lie in memory or are mapped."""
        return self.exact.nbytes + self.compressed_bytes

    @property
    def compressed_bytes(self) -> int:
        """Bytes of lists and centroids, without the whole vectors."""
        index = self._index
        centroids = 4 * index.nlist * index.d + 4 * CODES * index.d
        return index.ntotal * (index.code_size + 8) + centroids

    def _nearest(
        self,
        queries: np.ndarray,
        k: int,
        more: int,
        selector: faiss.IDSelector | None,
        share: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        options = faiss.IVFPQSearchParameters(nprobe=self.settings["probes"], sel=selector)
        many = min(max(self.settings["candidates"], 2 * k + more), self.n_items)
        rows = self._index.search(queries, many, params=options)[1]
        rows.sort(axis=1)  # memory is read in one direction
        vectors = self.exact.rows[rows].astype(np.float32, copy=False)
        scores = np.matmul(vectors, queries[:, :, None])[:, :, 0]
        scores[rows < 0] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, : k + more]
        return np.take_along_axis(rows, best, 1), np.take_along_axis(scores, best, 1)

    def _write(self, folder: Path) -> None:
        faiss.write_index(self._index, str(folder / FILE))
        self.exact._write(folder)

    @classmethod
    def _read(cls, folder: Path, settings: dict[str, Any], memory_map: bool) -> Self:
        index = faiss.read_index(str(folder / FILE), faiss.IO_FLAG_MMAP_IFC if memory_map else 0)
        rows = {"precision": settings["precision"], "pruning": True}
        return cls(index, ExactIndex._read(folder, rows, memory_map), settings)


def _default_parts(d: int) -> int:
    """The divisor of ``d`` that is nearest to a quarter of it from below."""
    return max(parts for parts in range(1, max(d // 4, 1) + 1) if d % parts == 0)


def _filled(exact: ExactIndex, lists: int, parts: int, seed: int) -> faiss.IndexIVFPQ:
    """Trained on a sample, filled with all."""
    d = exact.dimensions
    index = faiss.IndexIVFPQ(faiss.IndexFlatIP(d), d, lists, parts, 8, faiss.METRIC_INNER_PRODUCT)
    index.cp.spherical, index.cp.seed, index.pq.cp.seed = True, seed, seed
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
    most = LARGEST_TRAINING * max(lists, CODES)
    sample = np.arange(exact.n_items)
    if exact.n_items > most:
        drawn = np.random.default_rng(seed).choice(exact.n_items, most, replace=False)
        sample = np.sort(drawn)
    index.train(exact.rows[sample].astype(np.float32))
    for start in range(0, exact.n_items, 1 << 18):
        index.add(exact.rows[start : start + (1 << 18)].astype(np.float32))
    return index
