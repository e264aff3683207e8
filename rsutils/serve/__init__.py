"""From a trained model to an answer: export, runtimes, and a system that answers queries.

What scores needs neither TensorFlow nor Keras, and does not load them.
"""

from rsutils import lazy

_MODULE_OF = {
    "Answer": "answers",
    "CompressionFront": "compression_search",
    "Engine": "engine",
    "Event": "answers",
    "Exported": "exported",
    "FileRecommender": "file_recommender",
    "KerasScorer": "scoring",
    "LiteRTRunner": "litert",
    "LiteRTScorer": "litert",
    "OnnxScorer": "onnx_scorer",
    "Query": "answers",
    "SavedModelScorer": "saved_model",
    "UnknownNameError": "answers",
    "build_system": "building",
    "compress_onnx": "onnx_compress",
    "export": "exporting",
    "export_litert": "litert",
    "export_onnx": "onnx_export",
    "export_saved_model": "saved_model",
    "load_export": "exported",
    "precompute_onnx": "onnx_precompute",
    "scoring_model": "scoring",
    "search_compression": "compression_search",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
