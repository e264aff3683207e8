"""Drift: the index by hand, its chance, and whole users."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.evaluate import drift

counts = st.lists(st.integers(0, 500), min_size=3, max_size=3).filter(any)


def test_the_index_by_hand():
    # Half a row more in every bin is next to nothing here.
    index = drift.stability_index(np.array([5e6, 5e6]), np.array([2e6, 8e6]))
    assert index == pytest.approx(-0.3 * math.log(0.4) + 0.3 * math.log(1.6), abs=1e-6)


@given(counts, counts)
@settings(max_examples=60, deadline=None)
def test_the_index_is_symmetric_and_zero_only_for_equal_shares(before, after):
    one, other = (drift.stability_index(*pair) for pair in ((before, after), (after, before)))
    assert one == pytest.approx(other)
    assert one >= 0
    assert drift.stability_index(before, before) == 0


def test_an_empty_bin_is_no_error():
    assert math.isfinite(drift.stability_index(np.array([10, 0]), np.array([0, 10])))


def test_chance_is_what_the_formula_says():
    rng = np.random.default_rng(0)
    table = rng.multinomial(2000, np.full(8, 1 / 8), size=(1500, 2))
    found = np.array([drift.stability_index(*pair) for pair in table])
    threshold = drift.chance_threshold(2000, 2000, bins=8, level=0.1)
    assert (found > threshold).mean() == pytest.approx(0.1, abs=0.03)


def test_bins_are_equally_full_in_the_reference():
    values = np.random.default_rng(0).standard_exponential(10_000)
    bins = drift.bin_of(values, values, bins=5)
    np.testing.assert_allclose(np.bincount(bins), 2000, atol=2)


def test_equal_values_share_a_bin():
    values = np.repeat([0.0, 1.0, 5.0], [80, 15, 5])
    bins = drift.bin_of(values, values)
    assert all(len(set(bins[values == value])) == 1 for value in (0.0, 1.0, 5.0))


def test_drift_is_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    late = np.repeat([False, True], 500)
    same, moved = rng.integers(0, 5, 1000), rng.integers(0, 5, 1000)
    moved[late] = np.minimum(4, moved[late] + rng.integers(0, 2, 500))
    assert drift.drift_test(moved, late).alarm
    assert drift.drift_test(moved, late).p_value < 0.01
    assert drift.drift_test(same, late, seed=1).p_value > 0.05


def test_users_with_many_rows_alike_raise_false_alarms_unless_shuffled_as_one():
    rng, alarms = np.random.default_rng(0), {"rows": 0, "users": 0}
    user = np.repeat(np.arange(60), 20)
    for _ in range(60):
        bins = np.repeat(rng.integers(0, 4, 60), 20)
        late = np.repeat(rng.permutation(60) < 30, 20)
        alarms["rows"] += drift.drift_test(bins, late, resamples=60).alarm
        alarms["users"] += drift.drift_test(bins, late, user, resamples=60).alarm
    assert alarms["rows"] > 40
    assert alarms["users"] < 10


def test_a_user_of_both_periods_counts_in_each():
    bins, late = np.array([0, 0, 1, 1]), np.array([False, True, False, True])
    found = drift.drift_test(bins, late, groups=np.array([7, 7, 7, 7]))
    assert found.index == 0


def test_the_same_seed_shuffles_alike():
    rng = np.random.default_rng(0)
    bins, late = rng.integers(0, 3, 200), rng.random(200) < 0.5
    assert drift.drift_test(bins, late, seed=4) == drift.drift_test(bins, late, seed=4)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="expected the same bins"):
        drift.stability_index(np.array([1, 2]), np.array([1, 2, 3]))
    for wrong in ([0, 0], [-1, 2], [math.nan, 1]):
        with pytest.raises(ValueError, match="no rows or a negative count"):
            drift.stability_index(np.array([1, 2]), np.array(wrong))
    with pytest.raises(ValueError, match="bins is 1"):
        drift.bin_of(np.ones(3), np.ones(3), bins=1)
    with pytest.raises(ValueError, match="reference has no rows"):
        drift.bin_of(np.ones(3), np.ones(0))
    with pytest.raises(ValueError, match="NaN or infinite"):
        drift.bin_of(np.array([np.inf]), np.ones(3))
    with pytest.raises(ValueError, match="at least 2 bins"):
        drift.chance_threshold(10, 10, bins=1)
    with pytest.raises(ValueError, match="shapes"):
        drift.drift_test(np.zeros(3, int), np.zeros(2, bool))
    with pytest.raises(ValueError, match="One of both periods"):
        drift.drift_test(np.zeros(3, int), np.zeros(3, bool))
    with pytest.raises(ValueError, match="level is 2"):
        drift.drift_test(np.zeros(2, int), np.array([True, False]), level=2)
