"""Training of Keras models: mini-batches, penalties, one run of ``fit``, a search over many runs.

Models use this room; it knows none of them.
"""

from rsutils.training.batches import EpochBatches
from rsutils.training.callbacks import Progress, ReportEachEpoch, ScoreEachEpoch, keep_best
from rsutils.training.fitting import fit
from rsutils.training.front import Front, search_front
from rsutils.training.lora import enable_lora, merge_lora
from rsutils.training.pair_batches import PairBatches
from rsutils.training.pair_prediction import PairPrediction
from rsutils.training.pareto import pareto_front
from rsutils.training.penalties import WeightedL2, penalised
from rsutils.training.search import Found, search
from rsutils.training.search_space import Between
from rsutils.training.slice_batches import SliceBatches
from rsutils.training.table_adam import DenseAdam, RowSparseAdam

__all__ = [
    "Between",
    "DenseAdam",
    "EpochBatches",
    "Found",
    "Front",
    "PairBatches",
    "PairPrediction",
    "Progress",
    "ReportEachEpoch",
    "RowSparseAdam",
    "ScoreEachEpoch",
    "SliceBatches",
    "WeightedL2",
    "enable_lora",
    "fit",
    "keep_best",
    "merge_lora",
    "pareto_front",
    "penalised",
    "search",
    "search_front",
]
