import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsutils.data import Interactions

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(1, 5), st.integers(0, 9)),
    min_size=1,
    max_size=30,
)


def table(rows):
    user, item, rating, timestamp = np.array(rows).T
    return Interactions.of(user, item, rating, timestamp, n_users=5, n_items=7)


@given(ROWS)
def test_the_matrix_holds_the_last_rating_of_each_pair(rows):
    expected = np.zeros((5, 7))
    for user, item, rating, _ in rows:
        expected[user, item] = rating
    assert np.array_equal(table(rows).to_csr(binary=False).toarray(), expected)
    assert np.array_equal(table(rows).to_csr().toarray(), expected > 0)


@given(ROWS)
def test_chronological_is_a_stable_sort_by_user_and_time(rows):
    expected = sorted(rows, key=lambda row: (row[0], row[3]))
    log = table(rows).chronological()
    columns = (log.user, log.item, log.rating.astype(int), log.timestamp)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected


def test_take_keeps_the_sizes():
    log = table([(0, 1, 5, 0), (4, 6, 1, 1)]).take(np.array([True, False]))
    assert (len(log), log.n_users, log.n_items) == (1, 5, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"user": [0, 1], "item": [0]}, "differ in length"),
        ({"user": [-1], "item": [0]}, "user ids run from -1"),
        ({"user": [0], "item": [3], "n_items": 3}, "item ids run from 3 to 3; expected 0 to 2"),
    ],
)
def test_bad_tables_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Interactions.of(**arguments)
