"""Settings of the models that propose and describe candidates, chosen on validation items.

What is right for one shop is not for the next: where users watch a series to its end the last item
says most, elsewhere the last ten do.
"""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from rsutils import evaluate
from rsutils.data.dataset import Split
from rsutils.data.interactions import Interactions
from rsutils.models import IALS, MarkovChain
from rsutils.models.base import Recommender
from rsutils.serve.ranking.signals import Signals

DIMENSIONS = 64
STRENGTHS = (0.003, 0.01, 0.03)
"""Of the regularisation of iALS."""
LENGTHS = (1, 3, 10)
"""Last items that the transitions start from."""
JUDGES = 1000
"""Users whose validation items decide; fewer where there are fewer."""


@dataclass(frozen=True)
class SignalSettings:
    """How the two models are fitted.

    Attributes:
        l2: strength of the regularisation of iALS.
        length: last items that the transitions start from.
    """

    l2: float
    length: int

    def fit(self, log: Interactions, seed: int = 0) -> Signals:
        """Both models, fitted on ``log``."""
        return Signals.fit(log, _factors(self.l2, seed), MarkovChain(self.length))


def choose_settings(
    split: Split, candidates: int, seed: int = 0, progress: bool = True
) -> SignalSettings:
    """The settings that do best on the validation items of ``split``, learnt from what is before.

    Each model is judged by what it is there for: iALS by how many of the items are among the
    candidates that it proposes, transitions by NDCG@10.

    Args:
        split: its test items are not looked at.
        candidates: how many are proposed.
        seed: of the factors.
        progress: show a progress bar.
    """
    users = np.unique(split.validation.user)
    users = np.random.default_rng(seed).permutation(users)[:JUDGES]
    judged, seen = split.validation, split.train

    def quality(model: Recommender, metric: str, k: int) -> float:
        report = evaluate.full_ranking(model.fit(seen), judged, seen, k, users=users)
        shown.update()
        return report[f"{metric}@{k}"]

    with tqdm(total=len(STRENGTHS) + len(LENGTHS), desc="settings", disable=not progress) as shown:
        by_strength = {l2: quality(_factors(l2, seed), "recall", candidates) for l2 in STRENGTHS}
        by_length = {length: quality(MarkovChain(length), "ndcg", 10) for length in LENGTHS}
    return SignalSettings(
        max(by_strength, key=by_strength.__getitem__), max(by_length, key=by_length.__getitem__)
    )


def _factors(l2: float, seed: int) -> IALS:
    return IALS(DIMENSIONS, l2=l2, seed=seed, progress=False)
