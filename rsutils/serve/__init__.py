"""From a trained model to an answer: export and runtimes.

What scores needs neither TensorFlow nor Keras, and does not load them.
"""

from rsutils import lazy

_MODULE_OF = {
    "CompressionFront": "compression_search",
    "LiteRTRunner": "litert",
    "LiteRTScorer": "litert",
    "OnnxScorer": "onnx_scorer",
    "compress_onnx": "onnx_compress",
    "export_litert": "litert",
    "export_onnx": "onnx_export",
    "precompute_onnx": "onnx_precompute",
    "search_compression": "compression_search",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
