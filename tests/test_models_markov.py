import numpy as np
import pytest

from rsutils.data.interactions import Interactions
from rsutils.models.markov import MarkovChain


@pytest.fixture
def log():
    # User 0 goes 0, 1, 2; user 1 goes 0, 1; user 2 has 0; user 3 nothing. The table is shuffled.
    return Interactions.of(
        user=[1, 0, 0, 2, 1, 0],
        item=[1, 2, 0, 0, 0, 1],
        timestamp=[9, 30, 10, 5, 8, 20],
        n_users=4,
        n_items=3,
    )


def test_transitions_by_hand(log):
    # Popularity is 3, 2, 1 of 6. From item 0 two went to item 1; smoothing adds 2 imagined ones.
    model = MarkovChain(length=1, smoothing=2.0).fit(log)
    expected = [2 / 4 * 3 / 6, 2 / 4 + 2 / 4 * 2 / 6, 2 / 4 * 1 / 6]
    np.testing.assert_allclose(model.scores([2])[0], expected, rtol=1e-6)


def test_the_last_items_count_by_recency(log):
    one = MarkovChain(length=1, smoothing=2.0).fit(log)
    two = MarkovChain(length=2, decay=0.5, smoothing=2.0).fit(log)
    # User 1 took 0, then 1. User 2 only took 0, and user 0 ends with 2.
    after_0 = one.scores([2])[0]
    after_1 = one.scores([1])[0]
    np.testing.assert_allclose(two.scores([1])[0], (after_1 + 0.5 * after_0) / 1.5, rtol=1e-6)


def test_every_row_is_a_distribution(log):
    scores = MarkovChain().fit(log).scores(np.arange(4))
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(scores[3], [3 / 6, 2 / 6, 1 / 6], rtol=1e-6)


def test_equal_times_keep_the_order_of_the_table():
    log = Interactions.of([0, 0, 1], [0, 1, 0], timestamp=[5, 5, 5])
    assert MarkovChain(length=1, smoothing=0.1).fit(log).recommend([1], k=1).tolist() == [[1]]


@pytest.mark.parametrize(("name", "value"), [("length", 0), ("decay", 1.1), ("smoothing", 0.0)])
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        MarkovChain(**{name: value})
