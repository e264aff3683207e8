"""Training of Keras models: mini-batches, penalties, one run of ``fit``, a search over many runs.

Models use this room; it knows none of them.
"""

from rsutils.training.batches import EpochBatches
from rsutils.training.callbacks import Progress, ReportEachEpoch, ScoreEachEpoch, keep_best
from rsutils.training.fitting import fit
from rsutils.training.lora import enable_lora, merge_lora
from rsutils.training.pair_batches import PairBatches
from rsutils.training.penalties import WeightedL2, penalised
from rsutils.training.row_batches import RowBatches
from rsutils.training.search import Found, search
from rsutils.training.search_space import Between

__all__ = [
    "Between",
    "EpochBatches",
    "Found",
    "PairBatches",
    "Progress",
    "ReportEachEpoch",
    "RowBatches",
    "ScoreEachEpoch",
    "WeightedL2",
    "enable_lora",
    "fit",
    "keep_best",
    "merge_lora",
    "penalised",
    "search",
]
