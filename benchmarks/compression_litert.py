"""The same models for LiteRT, which gives a table one scale for all of its rows."""

from pathlib import Path
from typing import Any

from benchmarks.compression_family import Family
from benchmarks.compression_systems import Make, fp32
from rsutils.compress import fold_batch_norm, make_quantization_aware
from rsutils.serve import export_litert

LEARNING_RATE, EPOCHS = 0.0002, 1
"""Of the twin that is trained with the rounding; chosen on validation rows."""
CALIBRATION = 50
"""Batches of training rows, from which ranges of activations begin."""


def litert_int8(family: Family, model: Any, whole: Path, target: Path) -> Path:
    """Weights in 8 bits, after training; activations are quantized on the fly."""
    return export_litert(fold_batch_norm(model.model_), target, int8=True)


def litert_aware(family: Family, model: Any, whole: Path, target: Path) -> Path:
    """Trained with the rounding of weights and activations in place, by tfmot."""
    import tf_keras

    build, config = family.builder(model)
    batches = family.batches(model)
    calibration = [batches[place][0] for place in range(CALIBRATION)]
    if not isinstance(calibration[0], dict):
        calibration = [{"features": features} for features in calibration]
    twin = make_quantization_aware(build, config, fold_batch_norm(model.model_), calibration)
    loss = tf_keras.losses.BinaryCrossentropy(from_logits=True)
    twin.compile(tf_keras.optimizers.Adam(LEARNING_RATE), loss)
    twin.fit(batches.dataset(), epochs=EPOCHS, verbose=0)
    return export_litert(twin, target, int8=True)


SYSTEMS: dict[str, Make] = {
    "litert_fp32": fp32,
    "litert_int8": litert_int8,
    "litert_aware": litert_aware,
}
