"""A/B tests: published numbers, what is promised and what is kept."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from rsutils.evaluate import ab_test


def test_the_test_is_welchs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 40), rng.normal(1.5, 3, 90)
    found = ab_test.compare(a, b)
    by_scipy = ttest_ind(b, a, equal_var=False)
    low, high = by_scipy.confidence_interval(0.95)
    assert found.p_value == pytest.approx(by_scipy.pvalue)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.lift == pytest.approx(b.mean() / a.mean() - 1)
    assert found.users == (40, 90)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.floats(0.01, 0.5))
@settings(max_examples=40, deadline=None)
def test_an_interval_leaves_zero_out_just_where_p_is_below_its_level(values, level):
    rng = np.random.default_rng(len(values))
    a, b = np.array(values), rng.normal(1, 2, 25)
    found = ab_test.compare(a, b, level)
    if abs(found.p_value - level) > 1e-9:
        assert (found.low > 0 or found.high < 0) == (found.p_value < level)
    other = ab_test.compare(b, a, level)
    assert (other.low, other.high) == pytest.approx((-found.high, -found.low))


def test_arms_without_spread():
    same = ab_test.compare(np.ones(3), np.ones(4))
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    apart = ab_test.compare(np.zeros(3), np.ones(4))
    assert (apart.low, apart.high, apart.p_value) == (1, 1, 0)
    assert math.isnan(apart.lift)


def test_users_by_hand():
    # (1.96 + 0.8416)² = 7.849; 2 · 4 · 7.849 = 62.8.
    assert ab_test.users_for_means(deviation=2.0, difference=1.0) == 63
    assert ab_test.users_for_means(deviation=2.0, difference=-1.0) == 63
    # Fleiss, Levin and Paik 2003, table A.4, counts whole numbers: .10 against .20, 219 each.
    assert ab_test.users_for_shares(0.1, 0.2) == 199
    assert ab_test.users_for_shares(0.1, 0.2, corrected=True) == 219


@given(st.floats(0.1, 10), st.floats(0.05, 3), st.floats(0.55, 0.99))
@settings(max_examples=60, deadline=None)
def test_planned_users_have_the_planned_power(deviation, difference, power):
    users = ab_test.users_for_means(deviation, difference, power=power)
    assert ab_test.power_for_means(users, deviation, difference) >= power - 1e-9
    if users > 2:
        # The side that points the wrong way adds a little; more than enough is never planned.
        assert ab_test.power_for_means(users - 1, deviation, difference) < power + 0.01


def test_planned_power_is_what_simulated_tests_have():
    rng = np.random.default_rng(0)
    users = ab_test.users_for_means(1.0, 0.3)
    found = [
        ab_test.compare(rng.normal(0, 1, users), rng.normal(0.3, 1, users)).p_value < 0.05
        for _ in range(1500)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_no_difference_is_found_as_often_as_the_level_says():
    assert ab_test.power_for_means(100, 1.0, 0.0) == pytest.approx(0.05)


def test_visits_of_a_user_that_end_alike_count_once():
    # All visits of a user end alike: m visits carry what one carries.
    visits = np.full(1000, 5)
    total = np.where(np.random.default_rng(0).random(1000) < 0.3, 5, 0)
    assert ab_test.design_effect(total, visits) == pytest.approx(5)


def test_independent_visits_have_no_design_effect():
    rng = np.random.default_rng(0)
    visits = rng.integers(1, 10, 20_000)
    total = rng.binomial(visits, 0.4)
    assert ab_test.design_effect(total, visits) == pytest.approx(1, abs=0.05)


# Armitage, McPherson and Rowe 1969, table 2, and Pocock 1977, table 1, at a level of .05.
@pytest.mark.parametrize(("looks", "alarms"), [(1, 0.05), (2, 0.083), (3, 0.107), (10, 0.193)])
def test_peeking_raises_as_many_alarms_as_published(looks, alarms):
    assert ab_test.false_alarms_of_peeking(looks, 1.96) == pytest.approx(alarms, abs=6e-4)


@pytest.mark.parametrize(("looks", "z"), [(1, 1.96), (2, 2.178), (5, 2.413), (10, 2.555)])
def test_thresholds_are_pococks(looks, z):
    assert ab_test.pocock_threshold(looks) == pytest.approx(z, abs=1.5e-3)


@given(st.integers(1, 12), st.floats(0.01, 0.2))
@settings(max_examples=15, deadline=None)
def test_the_threshold_keeps_its_level(looks, level):
    z = ab_test.pocock_threshold(looks, level)
    assert ab_test.false_alarms_of_peeking(looks, z) == pytest.approx(level, abs=1e-3)


def test_bad_input_is_refused():
    two = np.array([0.0, 1.0])
    with pytest.raises(ValueError, match="Arm a has the shape"):
        ab_test.compare(two[:1], two)
    with pytest.raises(ValueError, match="arm b is NaN"):
        ab_test.compare(two, np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match="level is 95"):
        ab_test.compare(two, two, level=95)
    with pytest.raises(ValueError, match="difference"):
        ab_test.users_for_means(1.0, 0.0)
    with pytest.raises(ValueError, match="deviation is -1"):
        ab_test.users_for_means(-1, 0.5)
    with pytest.raises(ValueError, match="power is 1"):
        ab_test.users_for_means(1.0, 0.5, power=1)
    with pytest.raises(ValueError, match=r"Both shares are 0\.1"):
        ab_test.users_for_shares(0.1, 0.1)
    with pytest.raises(ValueError, match=r"other is 1\.2"):
        ab_test.users_for_shares(0.1, 1.2)
    with pytest.raises(ValueError, match="users is 0"):
        ab_test.power_for_means(0, 1.0, 0.5)
    with pytest.raises(ValueError, match="looks is 0"):
        ab_test.false_alarms_of_peeking(0, 1.96)
    with pytest.raises(ValueError, match="threshold is inf"):
        ab_test.false_alarms_of_peeking(2, math.inf)
    with pytest.raises(ValueError, match="shapes"):
        ab_test.design_effect(np.array([1, 2]), np.array([3]))
    with pytest.raises(ValueError, match="more clicks than visits"):
        ab_test.design_effect(np.array([4]), np.array([3]))
    with pytest.raises(ValueError, match=r"rate is 0\.0"):
        ab_test.design_effect(np.array([0, 0]), np.array([3, 2]))
