import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from rsutils.data.interactions import Interactions
from rsutils.models import neighbours
from rsutils.models.neighbours import ItemNeighbours, cosine_neighbours


@pytest.fixture
def history():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((30, 12)) < 0.3)
    return Interactions.of(user, item, n_users=30, n_items=13).to_csr()


def test_without_shrinkage_it_is_sklearns_cosine(history):
    expected = cosine_similarity(history.T.toarray())
    np.fill_diagonal(expected, 0)
    found = cosine_neighbours(history, neighbours=13, shrinkage=0).toarray()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_shrinkage_by_hand():
    # Items 0 and 1 share one user; they have two and one: 1 / (sqrt(2) + 3).
    history = Interactions.of([0, 0, 1], [0, 1, 0]).to_csr()
    found = cosine_neighbours(history, neighbours=5, shrinkage=3.0).toarray()
    np.testing.assert_allclose(found, [[0, 1 / (2**0.5 + 3)], [1 / (2**0.5 + 3), 0]], rtol=1e-6)


def test_each_item_keeps_its_most_similar(history):
    every = cosine_neighbours(history, 13, 10.0).toarray()
    two = cosine_neighbours(history, 2, 10.0)
    assert np.diff(two.indptr).max() == 2
    np.testing.assert_allclose(two.max(axis=1).toarray()[:, 0], every.max(axis=1))


def test_blocks_do_not_change_the_result(history, monkeypatch):
    whole = cosine_neighbours(history, 3, 1.0).toarray()
    monkeypatch.setattr(neighbours, "BLOCK", 5)
    assert np.array_equal(cosine_neighbours(history, 3, 1.0).toarray(), whole)


def test_a_score_sums_similarities_to_the_history():
    log = Interactions.of([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], n_items=3)
    model = ItemNeighbours(shrinkage=0).fit(log)
    expected = log.to_csr().toarray() @ model.similarity_.toarray()
    np.testing.assert_allclose(model.scores([0, 1, 2]), expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "value"), [("neighbours", 0), ("shrinkage", -1.0)])
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        ItemNeighbours(**{name: value})
