"""Bandits: what they believe, what they show, and that they find the best arm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.models.bandits import BetaThompson, EpsilonGreedy, LinearThompson, LinUCB

ONE = np.ones((1, 1))
MAKERS = {
    "epsilon_greedy": lambda seed: EpsilonGreedy(3, epsilon=0.1, seed=seed),
    "thompson": lambda seed: BetaThompson(3, seed=seed),
    "linucb": lambda seed: LinUCB(3, 1, alpha=0.5, seed=seed),
    "linear_thompson": lambda seed: LinearThompson(3, 1, seed=seed),
}
policies = pytest.mark.parametrize("name", MAKERS)


def play(policy, chances, rounds, batch, contexts=None, seed=0):
    """Arms that were shown in the last half of the rounds."""
    rng, shown = np.random.default_rng(seed), []
    for _ in range(rounds):
        x = np.ones((batch, 1)) if contexts is None else contexts(rng, batch)
        arms = policy.choose(x)
        chance = chances(x, arms) if callable(chances) else np.asarray(chances)[arms]
        policy.update(x, arms, rng.random(batch) < chance)
        shown.append(arms)
    return np.concatenate(shown[rounds // 2 :])


@policies
def test_the_best_arm_is_found(name):
    shown = play(MAKERS[name](1), [0.1, 0.7, 0.3], rounds=400, batch=5)
    assert (shown == 1).mean() > 0.85


def test_greedy_never_looks_again():
    policy = EpsilonGreedy(2, epsilon=0.0)
    policy.update(np.ones((2, 1)), np.array([0, 1]), np.array([1, 0]))
    shown = play(policy, [0.1, 0.9], rounds=100, batch=1)
    assert (shown == 0).all()


def test_arms_that_were_never_shown_come_first():
    policy = EpsilonGreedy(3, epsilon=0.0)
    policy.update(np.ones((2, 1)), np.array([0, 2]), np.array([1, 1]))
    assert policy.choose(np.ones((5, 1))).tolist() == [1] * 5


def test_epsilon_is_the_share_of_any_arm():
    policy = EpsilonGreedy(4, epsilon=0.4, seed=2)
    policy.update(np.ones((4, 1)), np.arange(4), np.array([0, 0, 0, 1]))
    shown = policy.choose(np.ones((20_000, 1)))
    np.testing.assert_allclose(np.bincount(shown) / 20_000, [0.1, 0.1, 0.1, 0.7], atol=0.02)


def test_thompson_shows_an_arm_as_often_as_it_may_be_best():
    policy = BetaThompson(2, seed=3)
    policy.update(np.ones((4, 1)), np.array([0, 0, 1, 1]), np.array([1, 0, 1, 1]))
    draws = np.random.default_rng(4)
    best = draws.beta(3, 1, 200_000) > draws.beta(2, 2, 200_000)
    shown = policy.choose(np.ones((20_000, 1)))
    assert shown.mean() == pytest.approx(best.mean(), abs=0.02)


def test_linucb_is_a_ridge_regression_and_its_deviation():
    rng = np.random.default_rng(0)
    x, reward = rng.standard_normal((40, 3)), rng.integers(0, 2, 40)
    policy = LinUCB(2, 3, alpha=2.0, l2=0.5)
    for part in (slice(0, 15), slice(15, 40)):
        policy.update(x[part], np.zeros(len(x[part]), int), reward[part])
    a = x.T @ x + 0.5 * np.eye(3)
    theta = np.linalg.solve(a, x.T @ reward)
    new = rng.standard_normal(3)
    bound = new @ theta + 2 * np.sqrt(new @ np.linalg.solve(a, new))
    untouched = 2 * np.sqrt(new @ new / 0.5)
    np.testing.assert_allclose(policy.bounds(new[None])[0], [bound, untouched])
    np.testing.assert_allclose(policy.weights_[0], theta)


def test_linear_thompson_draws_from_the_posterior():
    policy = LinearThompson(2, 1, scale=1.0, seed=0)
    policy.update(np.ones((8, 1)), np.repeat([0, 1], [5, 3]), np.repeat([1, 0, 1], [3, 2, 3]))
    # Means 3/6 and 3/4, variances 1/6 and 1/4.
    draws = np.random.default_rng(1).standard_normal((2, 200_000))
    best = 0.75 + draws[1] / 2 > 0.5 + draws[0] / np.sqrt(6)
    shown = [policy.choose(ONE)[0] for _ in range(4000)]
    assert np.mean(shown) == pytest.approx(best.mean(), abs=0.03)


@pytest.mark.parametrize("maker", [LinUCB, LinearThompson])
def test_contexts_tell_visitors_apart(maker):
    def contexts(rng, n):
        return np.eye(2)[rng.integers(2, size=n)]

    def chances(x, arms):
        return np.where(x.argmax(axis=1) == arms, 0.8, 0.1)

    policy = maker(2, 2, seed=0)
    play(policy, chances, rounds=200, batch=5, contexts=contexts)
    # A draw may still err; the estimates do not.
    assert (np.eye(2) @ policy.weights_.T).argmax(axis=1).tolist() == [0, 1]


@policies
@given(batches=st.lists(st.integers(1, 7), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_the_same_seed_shows_the_same_arms(name, batches):
    first, second = MAKERS[name](3), MAKERS[name](3)
    for size in batches:
        x = np.ones((size, 1))
        arms = first.choose(x)
        assert arms.tolist() == second.choose(x).tolist()
        assert arms.shape == (size,)
        assert set(arms) <= {0, 1, 2}
        for policy in (first, second):
            policy.update(x, arms, arms == 1)


@policies
def test_bad_feedback_is_refused(name):
    policy = MAKERS[name](0)
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(1,\)"):
        policy.update(ONE, np.array([0, 1]), np.array([1]))
    with pytest.raises(ValueError, match="An arm is 3"):
        policy.update(ONE, np.array([3]), np.array([1]))
    for reward in (-1, 2, np.nan):
        with pytest.raises(ValueError, match=r"not in 0\.\.1"):
            policy.update(ONE, np.array([0]), np.array([reward]))


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="n_arms is 0"):
        BetaThompson(0)
    with pytest.raises(ValueError, match=r"epsilon is 1\.5"):
        EpsilonGreedy(2, epsilon=1.5)
    with pytest.raises(ValueError, match="alpha is -1"):
        LinUCB(2, 2, alpha=-1)
    with pytest.raises(ValueError, match="scale is -1"):
        LinearThompson(2, 2, scale=-1)
    with pytest.raises(ValueError, match="l2 0"):
        LinUCB(2, 2, l2=0)
    with pytest.raises(ValueError, match=r"shape \(1, 1\); expected \(n, 2\)"):
        LinUCB(2, 2).choose(ONE)
