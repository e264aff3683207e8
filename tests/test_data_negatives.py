import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsutils.data import Interactions, sample_negatives

PAIRS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=40, unique=True
)


def table(pairs):
    user, item = np.array(pairs).T
    return Interactions.of(user=user, item=item, n_users=5, n_items=10)


@given(PAIRS, st.integers(0, 6), st.sampled_from([0, 0.75]), st.booleans(), st.integers(0, 2))
def test_never_a_positive_and_never_twice_where_distinct(pairs, n, power, distinct, seed):
    log = table(pairs)
    candidates = set(log.item.tolist()) if power else set(range(10))
    left = {u: candidates - {i for v, i in pairs if v == u} for u in range(5)}
    users = [u for u in range(5) if len(left[u]) >= (n if distinct else 1)] * 2
    drawn = sample_negatives(log, users, n, seed, power, distinct)
    assert drawn.shape == (len(users), n)
    assert drawn.dtype == np.int32
    for user, row in zip(users, drawn, strict=True):
        assert set(row) <= left[user]
        if distinct:
            assert len(set(row)) == n


def test_the_last_item_left_is_found():
    n_items = 5000
    seen = np.delete(np.arange(n_items), 1234)
    log = Interactions.of(user=np.zeros(len(seen)), item=seen, n_items=n_items)
    assert sample_negatives(log, [0, 0], 2, seed=0).tolist() == [[1234] * 2] * 2
    assert sample_negatives(log, [0], 1, seed=0, distinct=True).tolist() == [[1234]]


def test_the_last_two_items_left_are_both_found():
    log = Interactions.of(user=np.zeros(998), item=np.arange(998), n_items=1000)
    drawn = sample_negatives(log, np.zeros(200), 2, seed=0, distinct=True)
    assert np.sort(drawn).tolist() == [[998, 999]] * 200


def test_seeds():
    log = table([(0, 0)])
    first, again, other = (sample_negatives(log, [0] * 50, 3, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_frequencies_follow_the_power_of_the_count(power):
    # User 9 owns item 0; items 1, 2, 3 have 1, 4 and 16 other owners.
    owners = np.repeat([1, 2, 3], [1, 4, 16])
    log = Interactions.of(
        user=np.append(np.arange(21) % 9, 9), item=np.append(owners, 0), n_items=4
    )
    drawn = sample_negatives(log, np.full(20_000, 9), 1, seed=3, popularity_power=power)
    expected = np.array([1, 4, 16]) ** power
    expected = expected / expected.sum()
    share = np.bincount(drawn.ravel(), minlength=4)[1:] / len(drawn)
    # Five standard errors of a share of 20,000 draws.
    assert np.all(np.abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / len(drawn)))


def test_distinct_lists_draw_all_items_alike():
    log = table([(0, 0), (0, 1)])
    drawn = sample_negatives(log, np.zeros(10_000), 5, seed=4, distinct=True)
    share = np.bincount(drawn.ravel(), minlength=10)[2:] / len(drawn)
    assert np.all(np.abs(share - 5 / 8) < 5 * np.sqrt(5 / 8 * 3 / 8 / len(drawn)))


def test_distinct_lists_draw_one_after_the_other_by_weight():
    # User 9 owns item 0; items 1, 2, 3 weigh 1, 4 and 16. By hand: item 1 is left out of a list
    # of two when it is drawn neither first nor second.
    owners = np.repeat([1, 2, 3], [1, 4, 16])
    log = Interactions.of(
        user=np.append(np.arange(21) % 9, 9), item=np.append(owners, 0), n_items=4
    )
    drawn = sample_negatives(log, np.full(40_000, 9), 2, 5, popularity_power=1, distinct=True)
    # The weights with item 0, whose single owner is user 9, do not matter: it is never kept.
    without_1 = 4 / 21 * 16 / 17 + 16 / 21 * 4 / 5
    without_2 = 1 / 21 * 16 / 20 + 16 / 21 * 1 / 5
    without_3 = 1 / 21 * 4 / 20 + 4 / 21 * 1 / 17
    expected = 1 - np.array([without_1, without_2, without_3])
    share = np.bincount(drawn.ravel(), minlength=4)[1:] / len(drawn)
    assert np.all(np.abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / len(drawn)))


def test_a_user_who_has_seen_all_is_refused_by_name():
    log = table([(3, i) for i in range(10)] + [(1, 0)])
    with pytest.raises(ValueError, match="user 3 has 0 items left"):
        sample_negatives(log, [1, 3], 1, seed=0)
    with pytest.raises(ValueError, match="user 1 has 9 items left to draw from; 10 are needed"):
        sample_negatives(log, [1], 10, seed=0, distinct=True)
    with pytest.raises(ValueError, match="user 1 has 9"):
        sample_negatives(log, [1], 10, seed=0, popularity_power=1, distinct=True)


@pytest.mark.parametrize("user", [-1, 5])
def test_an_unknown_user_is_refused(user):
    with pytest.raises(IndexError, match=f"user {user} is unknown; expected 0 to 4"):
        sample_negatives(table([(0, 0)]), [0, user], 1, seed=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"n": -1}, "n is -1"), ({"n": 1, "popularity_power": -0.5}, "popularity_power is -0.5")],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sample_negatives(table([(0, 0)]), [0], seed=0, **arguments)


def test_no_users_and_no_negatives():
    assert sample_negatives(table([(0, 0)]), [], 3, seed=0).shape == (0, 3)
    assert sample_negatives(table([(0, 0)]), [0, 1], 0, seed=0).shape == (2, 0)
