from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rsutils.data import Interactions, by_time, leave_last_out, random_split


@st.composite
def tables(draw, fewest=1):
    n = draw(st.integers(fewest, 40))
    users = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    times = draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))
    return Interactions.of(user=users, item=np.arange(n), timestamp=times, n_users=7)


def parts(split):
    return [part for part in (split.train, split.validation, split.test) if part is not None]


def assert_partition(log, split):
    items = np.concatenate([part.item for part in parts(split)])
    assert sorted(items) == sorted(log.item)
    for part in parts(split):
        assert (part.n_users, part.n_items) == (log.n_users, log.n_items)
        assert np.array_equal(part.user, log.user[part.item])
        assert np.array_equal(part.timestamp, log.timestamp[part.item])


def test_leave_last_out_by_hand():
    log = Interactions.of(
        user=[1, 0, 0, 1, 0, 2, 2, 0], item=range(8), timestamp=[5, 3, 9, 5, 1, 7, 8, 9]
    )
    split = leave_last_out(log.take(np.arange(8)))
    assert split.test.item.tolist() == [7]
    assert split.validation.item.tolist() == [2]
    assert split.train.item.tolist() == [0, 1, 3, 4, 5, 6]


@given(tables())
def test_leave_last_out_holds_each_users_last_two_rows(log):
    if np.bincount(log.user).max() < 3:
        with pytest.raises(ValueError, match="No user"):
            leave_last_out(log)
        return
    split = leave_last_out(log)
    assert_partition(log, split)
    for user in range(log.n_users):
        # The item is the row's number, so this is the order of time, ties by place in the table.
        rows = sorted(zip(log.timestamp[log.user == user], log.item[log.user == user], strict=True))
        if len(rows) < 3:
            assert user not in split.test.user
            assert user not in split.validation.user
        else:
            assert split.test.item[split.test.user == user].tolist() == [rows[-1][1]]
            assert split.validation.item[split.validation.user == user].tolist() == [rows[-2][1]]
    assert np.all(np.diff(split.test.user) > 0)
    assert np.all(np.diff(split.train.item) > 0)


def by_time_or_none(log, validation, test):
    try:
        return by_time(log, validation, test)
    except ValueError:
        return None


@given(tables(fewest=3), st.sampled_from([0, 0.1, 0.3]), st.sampled_from([0.1, 0.4]))
def test_by_time_never_trains_on_the_future(log, validation, test):
    split = by_time_or_none(log, validation, test)
    assume(split is not None)
    assert_partition(log, split)
    for earlier, later in pairwise(parts(split)):
        assert earlier.timestamp.max() < later.timestamp.min()


def test_by_time_gives_the_asked_shares_where_times_differ():
    log = Interactions.of(user=np.zeros(100), item=range(100), timestamp=range(100))
    split = by_time(log, 0.1, 0.2)
    assert [len(part) for part in parts(split)] == [70, 10, 20]


def test_by_time_refuses_times_that_do_not_separate():
    with pytest.raises(ValueError, match="Equal times leave 0, 0 and 9"):
        by_time(Interactions.of(user=range(9), item=range(9), timestamp=[4] * 9))


@given(tables(fewest=4), st.integers(0, 3))
def test_random_split_is_a_partition_of_the_asked_sizes(log, seed):
    split = random_split(log, 0.25, 0.25, seed)
    assert_partition(log, split)
    assert len(split.test) == len(split.validation) == round(len(log) * 0.25)


def test_random_split_depends_on_its_seed_alone():
    log = Interactions.of(user=np.zeros(50), item=range(50))
    first, again, other = (random_split(log, seed=seed).test.item for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_validation_part_is_none():
    log = Interactions.of(user=np.zeros(50), item=range(50))
    assert random_split(log, 0, 0.2).validation is None
    assert by_time(log, 0, 0.2).validation is None


@pytest.mark.parametrize("split", [by_time, random_split])
@pytest.mark.parametrize(
    ("validation", "test"), [(-0.1, 0.1), (0.1, 0), (0.5, 0.5), (0, 1), (1, 0.1)]
)
def test_shares_out_of_range_are_refused(split, validation, test):
    with pytest.raises(ValueError, match=f"validation={validation} and test={test}"):
        split(Interactions.of(user=range(9), item=range(9)), validation, test)


@pytest.mark.parametrize("split", [leave_last_out, by_time, random_split])
def test_an_empty_table_is_refused(split):
    with pytest.raises(ValueError, match=r"No user|0 rows are too few"):
        split(Interactions.of(user=[], item=[]))
