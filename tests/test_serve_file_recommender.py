"""Whatever runs a file is asked for what it reads, and judged as a recommender."""

import numpy as np
import pytest
from scipy import sparse

from rsutils.models import Recommender
from rsutils.serve.file_recommender import FileRecommender


class Fixed:
    """Gives zeros of a shape."""

    def __init__(self, shape=None, **inputs):
        self.inputs, self.shape = inputs, shape

    def __call__(self, inputs):
        return np.zeros(self.shape)


@pytest.mark.parametrize(
    ("inputs", "tables", "message"),
    [
        ({"image": ("batch", 3)}, {}, r"The file reads image \('batch', 3\); expected what a"),
        ({"item": ("batch",)}, {}, r"The file reads item \('batch',\)"),
        ({"history": ("batch", 4)}, {}, "reads history, and history is None; hand it in"),
        ({"features": ("batch", 4)}, {}, "reads features, and features is None"),
        (
            {"history": ("batch", 4)},
            {"history": sparse.csr_matrix((3, 5))},
            r"history has the shape \(3, 5\); expected \(3, 4\) first",
        ),
        (
            {"features": ("batch", 4)},
            {"features": (np.zeros((3, 1)), np.zeros((9, 1)))},
            r"features of items has the shape \(9, 1\)",
        ),
        ({"user": ("batch",)}, {"cold": np.zeros(3, bool)}, "One of popularity and cold is None"),
        (
            {"user": ("batch",)},
            {"cold": np.zeros(9, bool), "popularity": np.zeros(4)},
            r"cold has the shape \(9,\)",
        ),
    ],
)
def test_a_file_recommender_refuses_what_does_not_fit(inputs, tables, message):
    with pytest.raises(ValueError, match=message):
        FileRecommender(Fixed(**inputs), 3, 4, **tables)


def test_a_file_recommender_refuses_scores_of_another_shape():
    served = FileRecommender(Fixed(shape=(1, 5), user=("batch",)), 3, 4)
    with pytest.raises(ValueError, match=r"gives the shape \(1, 5\) for 1 users"):
        served.scores([0])


def test_users_are_asked_for_in_blocks_of_one_size(monkeypatch):
    """The latest items of each, in order, and all of them where the last block overlaps."""
    monkeypatch.setattr("rsutils.serve.file_recommender.USERS", 2)
    asked = []

    def latest(inputs):
        asked.append(inputs["item"].tolist())
        return np.repeat(inputs["item"][:, :1], 4, axis=1)

    latest.inputs = {"item": ("batch", 2)}
    items, start = np.array([3, 1, 2, 0]), np.array([0, 3, 3, 4])
    history = sparse.csr_matrix((np.ones(4), items, start), (3, 4))
    served = FileRecommender(latest, 3, 4, history=history)
    assert served.scores([0, 1, 2])[:, 0].tolist() == [2, 0, 1]
    assert asked == [[[2, 3], [0, 0]], [[0, 0], [1, 0]]]
    assert isinstance(served, Recommender)
