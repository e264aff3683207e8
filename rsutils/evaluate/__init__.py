"""How good a recommender is: metrics, protocols, intervals.

``full_ranking`` and ``sampled`` take any model with ``scores`` and return a ``Report``.
"""

from rsutils.evaluate.catalogue import coverage, gini, novelty
from rsutils.evaluate.intervals import bootstrap_means, interval
from rsutils.evaluate.metrics import hr, mrr, ndcg, recall, user_auc
from rsutils.evaluate.ranking import full_ranking, sampled
from rsutils.evaluate.rating import auc, calibration, calibration_error, log_loss, mae, rmse
from rsutils.evaluate.report import Report
from rsutils.evaluate.sampling import expected_when_sampled
from rsutils.evaluate.ties import Ranks

__all__ = [
    "Ranks",
    "Report",
    "auc",
    "bootstrap_means",
    "calibration",
    "calibration_error",
    "coverage",
    "expected_when_sampled",
    "full_ranking",
    "gini",
    "hr",
    "interval",
    "log_loss",
    "mae",
    "mrr",
    "ndcg",
    "novelty",
    "recall",
    "rmse",
    "sampled",
    "user_auc",
]
