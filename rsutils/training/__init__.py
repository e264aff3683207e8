"""Training of Keras models: mini-batches, penalties, one run of ``fit`` with its callbacks.

Models use this room; it knows none of them.
"""

from rsutils.training.batches import EpochBatches
from rsutils.training.callbacks import ScoreEachEpoch
from rsutils.training.fitting import fit
from rsutils.training.pair_batches import PairBatches
from rsutils.training.penalties import WeightedL2, penalised
from rsutils.training.row_batches import RowBatches

__all__ = [
    "EpochBatches",
    "PairBatches",
    "RowBatches",
    "ScoreEachEpoch",
    "WeightedL2",
    "fit",
    "penalised",
]
