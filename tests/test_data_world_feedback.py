"""The simulated shop: clicks by the world's law, and the best possible slate."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.data.world import WorldConfig, generate
from rsutils.data.world.feedback import Shop

WORLD = generate(WorldConfig(n_users=30, n_items=700, panel=2))
SHOP = Shop(WORLD)
EXAMINED = WORLD.law.examined()


def attractions(*rows):
    """Attractions of a few films, 0 for the others."""
    table = np.zeros((len(rows), 700))
    table[:, : len(rows[0])] = rows
    return table


def test_chances_by_hand():
    chances = SHOP.chances(attractions([0.5, 0.2]), np.array([[0, 1]]))
    second = EXAMINED[1] * 0.2
    np.testing.assert_allclose(chances, [[0.5, (1 - 0.5) * second]])
    np.testing.assert_allclose(
        SHOP.expected(attractions([0.5, 0.2]), np.array([[0, 1]])), chances.sum()
    )


def test_clicks_come_as_often_as_their_chances_say():
    n = 20_000
    attraction = np.tile(attractions([0.3, 0.6, 0.1]), (n, 1))
    slates = np.tile([[0, 1, 2]], (n, 1))
    slot = SHOP.clicks(attraction, slates, np.random.default_rng(0))
    found = np.bincount(slot + 1, minlength=4) / n
    chances = SHOP.chances(attraction[:1], slates[:1])[0]
    np.testing.assert_allclose(found, [1 - chances.sum(), *chances], atol=0.015)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
@settings(max_examples=40, deadline=None)
def test_no_order_of_no_films_gets_more_clicks_than_the_best_slate(values):
    attraction = attractions(values)
    best = SHOP.expected(attraction, SHOP.best(attraction, 3))[0]
    for films in permutations(range(4), 3):
        assert SHOP.expected(attraction, np.array([films]))[0] <= best + 1e-12


def test_what_was_seen_is_never_clicked():
    at = SHOP.visits(np.arange(30), np.random.default_rng(0))
    attraction = SHOP.attraction(at)
    assert (attraction[SHOP.seen] == 0).all()
    assert (attraction[~SHOP.seen] > 0).all()
    np.testing.assert_allclose(
        attraction[~SHOP.seen], WORLD.law.attraction(at)[~SHOP.seen], rtol=1e-12
    )


def test_moods_come_as_often_as_the_person_has_them():
    at = SHOP.visits(np.full(20_000, 4), np.random.default_rng(0))
    found = np.bincount(at.mood, minlength=8) / 20_000
    np.testing.assert_allclose(found, WORLD.people.mood_habit[4], atol=0.015)


def test_appeal_and_rate_are_means_over_visits():
    user, slate = np.array([7]), np.array([[3, 9, 20]])
    visits = SHOP.visits(np.full(20_000, 7), np.random.default_rng(1))
    attraction = SHOP.attraction(visits)
    np.testing.assert_allclose(SHOP.appeal(user)[0], attraction.mean(axis=0), atol=0.02)
    by_visits = SHOP.expected(attraction, np.tile(slate, (20_000, 1))).mean()
    assert SHOP.rate(user, slate)[0] == pytest.approx(by_visits, abs=0.01)


def test_seen_films_can_be_given():
    nobody = Shop(WORLD, seen=np.zeros((30, 700), bool))
    assert (nobody.appeal(np.array([0])) > 0).all()
    with pytest.raises(ValueError, match=r"shape \(2, 2\); expected \(30, 700\)"):
        Shop(WORLD, seen=np.zeros((2, 2), bool))


def test_bad_input_is_refused():
    rng, one = np.random.default_rng(0), attractions([0.5])
    with pytest.raises(ValueError, match="no user 30; expected 0 to 29"):
        SHOP.visits(np.array([30]), rng)
    with pytest.raises(ValueError, match="no user -1"):
        SHOP.appeal(np.array([-1]))
    with pytest.raises(ValueError, match="expected whole numbers"):
        SHOP.visits(np.array([1.5]), rng)
    with pytest.raises(ValueError, match="no film 700"):
        SHOP.chances(one, np.array([[700]]))
    with pytest.raises(ValueError, match="a row of films for each of the 1 visits"):
        SHOP.chances(one, np.array([[1], [2]]))
    with pytest.raises(ValueError, match="has 11 slots; expected 1 to 10"):
        SHOP.chances(one, np.zeros((1, 11), int))
    with pytest.raises(ValueError, match="k is 11"):
        SHOP.best(one, 11)
