"""MovieLens-1M as SASRec's authors publish it: the last item of each user among all items.

    python -m benchmarks.ml1m_full [--system NAME] [--tune]

``--tune`` learns from all but each user's last two items and chooses by NDCG@10 on the last but
one; the chosen settings below are the best there. The test then learns from all but the last item.
Items that a user already has are no candidates.
"""

from functools import partial

import numpy as np

from benchmarks.common import Benchmark, Part, System
from benchmarks.peers import ImplicitALS
from rsutils import models
from rsutils.data import Interactions, load
from rsutils.evaluate import full_ranking

DATASET = "sasrec-ml-1m"
METRICS = ("hr", "ndcg")


def part_of(train: Interactions, held_out: Interactions) -> Part:
    """Learn from ``train``, find ``held_out``."""
    return Part(
        train, lambda model: full_ranking(model, held_out, exclude=train, metrics=METRICS).mean()
    )


def test() -> Part:
    """The last item of each user; everything before it, in the published order, to learn from."""
    dataset = load(DATASET)
    table, held_out = dataset.interactions.chronological(), dataset.published.test
    last = np.zeros(len(table), bool)
    last[np.cumsum(np.bincount(table.user, minlength=table.n_users)) - 1] = True
    return part_of(table.take(~last), held_out)


def validation() -> Part:
    """The last item but one of each user."""
    split = load(DATASET).published
    return part_of(split.train, split.validation)


SYSTEMS = {
    "popularity": System(models.Popularity),
    "neighbours": System(
        models.ItemNeighbours,
        chosen={"neighbours": 20, "shrinkage": 0.0},
        grid={"neighbours": (20, 50, 100, 200), "shrinkage": (0.0, 10.0, 50.0)},
    ),
    "ease": System(models.EASE, chosen={"l2": 200.0}, grid={"l2": (50.0, 100.0, 200.0, 500.0)}),
    "ials": System(
        partial(models.IALS, progress=False),
        chosen={"dimensions": 128, "l2": 0.003, "unobserved_weight": 1.0},
        grid={
            "dimensions": (64, 128),
            "l2": (0.001, 0.003),
            "unobserved_weight": (0.1, 0.3, 1.0),
        },
        seeded=True,
    ),
    "implicit_als": System(
        ImplicitALS,
        chosen={"factors": 256, "alpha": 2.0, "regularization": 20.0},
        grid={
            "factors": (128, 256),
            "alpha": (1.0, 2.0, 4.0),
            "regularization": (5.0, 20.0),
        },
        seeded=True,
    ),
    "softmax_sgd": System(
        partial(models.SoftmaxSGD, progress=False),
        chosen={"l2": 0.02, "epochs": 25},
        grid={"l2": (0.005, 0.01, 0.02), "epochs": (25,)},
        seeded=True,
    ),
    "softmax_cf": System(
        # Named, not looked up, so that TensorFlow is loaded by this system only.
        lambda **settings: models.SoftmaxCF(progress=False, **settings),
        chosen={"l2": 0.04},
        grid={"l2": (0.02, 0.04, 0.06)},
        seeded=True,
    ),
    "markov": System(
        models.MarkovChain,
        chosen={"length": 10, "decay": 0.6, "smoothing": 100.0},
        grid={
            "length": (3, 5, 10),
            "decay": (0.4, 0.6, 0.8),
            "smoothing": (3.0, 10.0, 30.0, 100.0),
        },
    ),
}

BENCHMARK = Benchmark("ml1m_full", DATASET, SYSTEMS, test, validation)

main = BENCHMARK.run

if __name__ == "__main__":
    main()
