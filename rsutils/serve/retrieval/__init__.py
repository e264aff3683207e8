"""Items by inner product with a query: exact, by a graph, or by compressed lists."""

from rsutils import lazy

_MODULE_OF = {
    "ExactIndex": "exact",
    "HNSWIndex": "hnsw",
    "IVFPQIndex": "ivf_pq",
    "ItemIndex": "base",
    "LiveIndex": "live",
    "RebuildError": "base",
    "Version": "live",
    "build_index": "building",
    "load_index": "building",
    "save_index": "building",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
