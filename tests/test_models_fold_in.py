import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.data.interactions import Interactions
from rsutils.models import IALS
from rsutils.models import fold_in as fold_in_module
from rsutils.models.fold_in import FoldIn


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((40, 25)) < 0.2)
    log = Interactions.of(user, item, n_users=41, n_items=26)
    return IALS(6, l2=0.02, epochs=20, progress=False).fit(log)


def test_scores_are_those_of_the_model(model):
    fold_in = FoldIn.of(model)
    rows = [0, 7, 39, 12]
    histories = [model.history_[row].indices for row in rows]
    scores = fold_in(histories) @ model.item_factors_.T
    np.testing.assert_allclose(
        scores, model.scores_for_history(model.history_[rows]), rtol=1e-4, atol=1e-5
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 25), unique=True, max_size=12), max_size=5),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_a_batch_gives_what_each_history_gives_alone(model, histories, scaling):
    fold_in = FoldIn(model.item_factors_, 0.1, 0.2, scaling)
    together = fold_in(histories)
    assert together.shape == (len(histories), 6)
    for row, history in zip(together, histories, strict=True):
        np.testing.assert_allclose(row, fold_in([history])[0], atol=1e-5)
        if not history:
            assert not row.any()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 25), unique=True, min_size=1, max_size=12))
def test_contributions_add_up_to_the_score(model, history):
    fold_in = FoldIn.of(model)
    items = np.array([3, 20, 3])
    given = fold_in.contributions(np.array(history), items)
    assert given.shape == (3, len(history))
    scores = fold_in.item_factors[items] @ fold_in([history])[0]
    np.testing.assert_allclose(given.sum(axis=1), scores, rtol=1e-3, atol=1e-5)


def test_one_item_by_hand():
    # V = [[1], [2]], one half of every pair counts: A = .5 * (1 + 4) + 1 + .1 * (1 + .5 * 2).
    fold_in = FoldIn(np.float32([[1], [2]]), l2=0.1, unobserved_weight=0.5, frequency_scaling=1.0)
    assert fold_in([[0]])[0, 0] == pytest.approx(1 / (2.5 + 1 + 0.2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(3), 0.1, 0.1, 1.0), r"item_factors has shape \(3,\)"),
        ((np.ones((0, 3)), 0.1, 0.1, 1.0), "not empty"),
        ((np.ones((2, 3)), 0.0, 0.1, 1.0), "l2"),
        ((np.ones((2, 3)), 0.1, -1.0, 1.0), "unobserved_weight"),
        ((np.ones((2, 3)), 0.1, 0.1, 2.0), "frequency_scaling"),
    ],
)
def test_refuses_what_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        FoldIn(*arguments)


@pytest.mark.parametrize("item", [26, -1])
def test_an_item_without_factors_is_named(model, item):
    with pytest.raises(IndexError, match=f"Item {item} is unknown; expected items 0 to 25"):
        FoldIn.of(model)([[3], [4, item]])


def test_long_histories_are_placed_in_chunks_as_at_once(model, monkeypatch):
    histories = [row.indices for row in model.history_]
    at_once = FoldIn.of(model)(histories)
    monkeypatch.setattr(fold_in_module, "CHUNK", 60)
    np.testing.assert_allclose(FoldIn.of(model)(histories), at_once, atol=1e-5)
