"""From a trained model to an answer: export, runtimes, and a system that answers queries.

What scores needs neither TensorFlow nor Keras, and does not load them.
"""

from rsutils import lazy

_MODULE_OF = {
    "Answer": "answers",
    "AnswerCache": "store.cache",
    "CompressionFront": "compression_search",
    "Engine": "engine",
    "Event": "answers",
    "EventLog": "store.event_log",
    "Exported": "exported",
    "FileRecommender": "file_recommender",
    "ItemIndex": "retrieval.base",
    "KerasScorer": "scoring",
    "LiteRTRunner": "litert",
    "LiteRTScorer": "litert",
    "LiveIndex": "retrieval.live",
    "MemoryStore": "store.memory",
    "OnnxScorer": "onnx_scorer",
    "Query": "answers",
    "SavedModelScorer": "saved_model",
    "UnknownNameError": "answers",
    "build_index": "retrieval.building",
    "build_system": "building",
    "check_parity": "score_parity",
    "compress_onnx": "onnx_compress",
    "export": "exporting",
    "export_litert": "litert",
    "export_onnx": "onnx_export",
    "export_saved_model": "saved_model",
    "find_or_build": "building",
    "load_export": "exported",
    "load_index": "retrieval.building",
    "open_store": "store.opening",
    "parity": "score_parity",
    "precompute_onnx": "onnx_precompute",
    "running": "service.child",
    "save_index": "retrieval.building",
    "scoring_model": "scoring",
    "search_compression": "compression_search",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
