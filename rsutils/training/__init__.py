"""Training of Keras models: mini-batches, penalties, one run of ``fit`` with its callbacks.

Models use this room; it knows none of them.
"""

from rsutils.training.batches import EpochBatches
from rsutils.training.callbacks import ScoreEachEpoch, keep_best
from rsutils.training.fitting import fit
from rsutils.training.lora import enable_lora, merge_lora
from rsutils.training.pair_batches import PairBatches
from rsutils.training.penalties import WeightedL2, penalised

__all__ = [
    "EpochBatches",
    "PairBatches",
    "ScoreEachEpoch",
    "WeightedL2",
    "enable_lora",
    "fit",
    "keep_best",
    "merge_lora",
    "penalised",
]
