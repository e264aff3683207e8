"""Parts for tfmot: which numbers of a layer are quantized in training, and how.

Imported by functions of ``quantization_aware`` only: tfmot takes seconds to load.
"""

from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

quantization = tfmot.quantization.keras


class LayerConfig(quantization.QuantizeConfig):
    """What is quantized of one layer: one of its weights, and its output.

    Args:
        weight: the attribute, ``"kernel"`` or ``"embeddings"``; None for none.
        weights_by: the weight's quantizer.
        output_by: the quantizer of what the layer gives; None leaves it float32.
    """

    def __init__(
        self, weight: str | None = None, weights_by: Any = None, output_by: Any = None
    ) -> None:
        self.weight, self.weights_by, self.output_by = weight, weights_by, output_by

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """The weight with its quantizer."""
        return [(getattr(layer, self.weight), self.weights_by)] if self.weight else []

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        """Let the layer read the quantized weight."""
        if self.weight:
            setattr(layer, self.weight, quantize_weights[0])

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """None: ReLU keeps codes, and what comes out is quantized as an output."""
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        """Nothing is set."""
        del layer, quantize_activations

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """The quantizer of the output, if there is one."""
        return [self.output_by] if self.output_by else []

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"weight": self.weight, "weights_by": self.weights_by, "output_by": self.output_by}


def one_range() -> Any:
    """8 bits, symmetric, one scale: the only one of a kernel that LiteRT's converter takes."""
    return quantization.quantizers.LastValueQuantizer(8, False, symmetric=True, narrow_range=True)


def moving_range() -> Any:
    """8 bits over the running mean of the smallest and the largest number of a batch."""
    return quantization.quantizers.MovingAverageQuantizer(8, False, False, narrow_range=False)


class SumOfProducts(tf_keras.layers.Dot):
    """Dot for vectors, as a sum of products in place of a batched product of matrices.

    The converter would let int8 codes be reshaped for the batched product and made real after that,
    and LiteRT 2.3 sets aside too little memory there when a batch is larger than the one before.
    """

    def call(self, inputs: list[Any]) -> Any:
        """(batch, n), (batch, n) to (batch, 1)."""
        return tf.reduce_sum(inputs[0] * inputs[1], 1, keepdims=True)
