"""MovieLens-1M as He et al. 2017 split it: the last item among 99 sampled negatives.

    python -m benchmarks.ncf_ml1m [--system NAME] [--tune]

The published training file has no validation part and no times. So ``--tune`` holds out three
random training interactions a user, each with 99 items that the user does not have, and the chosen
settings below are the best by NDCG@10 there.
"""

from functools import partial

from benchmarks.common import Benchmark, Part, System, random_of_each_user
from benchmarks.peers import ImplicitALS
from rsutils import models
from rsutils.data import load, sample_negatives
from rsutils.evaluate import sampled

DATASET = "ncf-ml-1m"
METRICS = ("hr", "ndcg")
NEGATIVES = 99
HELD_OUT = 3
"""Interactions a user; more make the choice steadier. Every user has at least 19."""
POPULARITY = {
    "hr@10": 0.4535,
    "ndcg@10": 0.2543,
    "source": "Rendle et al. 2020, Neural collaborative filtering vs. matrix factorization",
}
MATRIX_FACTORIZATION = {
    "hr@10": 0.7294,
    "ndcg@10": 0.4523,
    "source": POPULARITY["source"] + "; SGD with sampled negatives and a logistic loss",
}
NEUMF = {
    "hr@10": 0.705,
    "ndcg@10": 0.426,
    "source": "He et al. 2017, Neural collaborative filtering, table 2: without pre-training",
}


def test() -> Part:
    """The published split."""
    split = load(DATASET).published
    return Part(
        split.train,
        lambda model: sampled(model, split.test, split.negatives, metrics=METRICS).mean(),
    )


def validation(seed: int = 0) -> Part:
    """Random training interactions, held out, each among 99 items that the user does not have."""
    train = load(DATASET).published.train
    held_out = random_of_each_user(train, HELD_OUT, seed)
    positives = train.take(held_out)
    negatives = sample_negatives(train, positives.user, NEGATIVES, seed=seed, distinct=True)
    return Part(
        train.take(~held_out),
        lambda model: sampled(model, positives, negatives, metrics=METRICS).mean(),
    )


SYSTEMS = {
    "popularity": System(models.Popularity, published=POPULARITY),
    "neighbours": System(
        models.ItemNeighbours,
        chosen={"neighbours": 50, "shrinkage": 0.0},
        grid={"neighbours": (20, 50, 100, 200), "shrinkage": (0.0, 10.0, 50.0)},
    ),
    "ease": System(
        models.EASE, chosen={"l2": 1000.0}, grid={"l2": (250.0, 500.0, 1000.0, 2000.0, 4000.0)}
    ),
    "ials": System(
        partial(models.IALS, progress=False),
        chosen={"dimensions": 192, "l2": 0.007, "unobserved_weight": 0.2, "epochs": 6},
        grid={
            "dimensions": (128, 192),
            "l2": (0.005, 0.007, 0.01),
            "unobserved_weight": (0.1, 0.2, 0.3),
            "epochs": (6, 10),
        },
        seeded=True,
    ),
    "implicit_als": System(
        ImplicitALS,
        chosen={"factors": 320, "alpha": 8.0, "regularization": 80.0},
        grid={
            "factors": (192, 256, 320),
            "alpha": (4.0, 8.0, 16.0),
            "regularization": (40.0, 80.0, 160.0),
        },
        seeded=True,
    ),
    "softmax_sgd": System(
        partial(models.SoftmaxSGD, progress=False),
        chosen={"l2": 0.03, "epochs": 40},
        grid={"l2": (0.02, 0.03, 0.04), "epochs": (25, 40)},
        published=MATRIX_FACTORIZATION,
        seeded=True,
    ),
    "softmax_cf": System(
        # Named, not looked up, so that TensorFlow is loaded by this system only.
        lambda **settings: models.SoftmaxCF(progress=False, **settings),
        chosen={"dimensions": 256, "l2": 0.045},
        grid={"dimensions": (192, 256), "l2": (0.03, 0.04, 0.045, 0.05)},
        seeded=True,
    ),
    "cdae": System(
        lambda **settings: models.CDAE(progress=False, **settings),
        chosen={"l2": 0.03, "unobserved_weight": 0.4, "epochs": 20},
        grid={
            "l2": (0.02, 0.03, 0.04),
            "unobserved_weight": (0.3, 0.4, 0.6),
            "epochs": (20, 30),
        },
        seeded=True,
    ),
    "neumf": System(
        lambda **settings: models.NCF(progress=False, **settings),
        chosen={"l2": 0.02, "learning_rate": 0.005, "epochs": 8},
        grid={"l2": (0.01, 0.02), "learning_rate": (0.005,), "epochs": (8,)},
        published=NEUMF,
        seeded=True,
    ),
}

BENCHMARK = Benchmark("ncf_ml1m", DATASET, SYSTEMS, test, validation)

main = BENCHMARK.run

if __name__ == "__main__":
    main()
