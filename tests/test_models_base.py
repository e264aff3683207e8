import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rsutils.data.interactions import Interactions
from rsutils.models.base import NOTHING, Recommender, top_k


class Fixed(Recommender):
    def __init__(self, table):
        self.table = np.asarray(table, np.float32)

    def fit(self, interactions):
        return self

    def scores(self, users):
        return self.table[users]


def log_of(user, item, n_users=3, n_items=4):
    return Interactions.of(user, item, n_users=n_users, n_items=n_items)


MODEL = Fixed([[4, 3, 2, 1], [1, 2, 3, 4], [0, 5, 0, 5]])

TIED = st.sampled_from([0.0, 1.0, 2.0, -np.inf])


@given(
    scores=hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1), elements=TIED
    ),
    k=st.integers(1, 12),
)
def test_top_k_is_a_stable_sort(scores, k):
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    expected = np.where(np.isneginf(np.take_along_axis(scores, order, axis=1)), NOTHING, order)
    found = top_k(scores, k)
    assert found.shape == (len(scores), k)
    assert found.dtype == np.int32
    assert np.array_equal(found[:, : order.shape[1]], expected)
    assert (found[:, order.shape[1] :] == NOTHING).all()


def test_top_k_of_no_rows_and_no_items():
    assert top_k(np.zeros((0, 3)), 2).shape == (0, 2)
    assert (top_k(np.zeros((2, 0)), 2) == NOTHING).all()


def test_recommend_is_best_first_and_equal_scores_in_order():
    assert MODEL.recommend([0, 2], k=2).tolist() == [[0, 1], [1, 3]]


def test_exclude_hides_only_the_users_own_items():
    seen = log_of([0, 0, 1, 2], [0, 1, 3, 1])
    assert MODEL.recommend([0, 1], k=2, exclude=seen).tolist() == [[2, 3], [2, 1]]


def test_exclude_takes_the_matrix_and_gives_the_same():
    seen = log_of([0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 2, 3])
    from_table = MODEL.recommend([1, 0, 1], k=3, exclude=seen)
    assert from_table.tolist() == [[-1, -1, -1], [2, 3, -1], [-1, -1, -1]]
    assert np.array_equal(from_table, MODEL.recommend([1, 0, 1], k=3, exclude=seen.to_csr()))


def test_recommend_leaves_the_models_scores_alone():
    before = MODEL.table.copy()
    MODEL.recommend([0, 1, 2], exclude=log_of([0], [0]))
    assert np.array_equal(MODEL.table, before)


def test_no_users_get_no_lists():
    assert MODEL.recommend(np.array([], int), k=5, exclude=log_of([0], [0])).shape == (0, 5)


def test_k_below_one_is_refused():
    with pytest.raises(ValueError, match="k is 0"):
        MODEL.recommend([0], k=0)


@pytest.mark.parametrize("sizes", [{"n_items": 5}, {"n_users": 2}])
def test_exclude_of_another_data_set_is_refused(sizes):
    with pytest.raises(ValueError, match="exclude covers"):
        MODEL.recommend([2], exclude=log_of([0], [0], **sizes))
