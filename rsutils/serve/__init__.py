"""From a trained model to an answer: export and runtimes."""

from rsutils.serve.litert import LiteRTRunner, LiteRTScorer, export_litert
from rsutils.serve.onnx_compress import compress_onnx
from rsutils.serve.onnx_export import export_onnx
from rsutils.serve.onnx_scorer import OnnxScorer

__all__ = [
    "LiteRTRunner",
    "LiteRTScorer",
    "OnnxScorer",
    "compress_onnx",
    "export_litert",
    "export_onnx",
]
