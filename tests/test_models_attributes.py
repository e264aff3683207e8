"""Users and items that were never seen are scored by what is known of them."""

import numpy as np
import pandas as pd
import pytest

from rsutils.data.interactions import Interactions
from rsutils.models import AttributeRecommender
from rsutils.models.fields.side import SideTable

N_USERS, N_ITEMS, NEW_USERS, NEW_ITEMS = 60, 40, 10, 10
OPTIONS = {"dimensions": 8, "learning_rate": 0.05, "batch_size": 64, "progress": False}


@pytest.fixture(scope="module")
def shop():
    """City 0 takes genre 0, city 1 genre 1; the last users and items have no interactions."""
    rng = np.random.default_rng(0)
    city, genre = np.arange(N_USERS) % 2, np.arange(N_ITEMS) // 2 % 2
    taken = (city[:, None] == genre) & (rng.random((N_USERS, N_ITEMS)) < 0.5)
    taken[-NEW_USERS:] = False
    taken[:, -NEW_ITEMS:] = False
    log = Interactions.of(*np.nonzero(taken), n_users=N_USERS, n_items=N_ITEMS)
    users = pd.DataFrame({"city": np.array(["Oslo", "Rome"])[city]})
    tags = [(int(g), 7) if i % 3 else (int(g),) for i, g in enumerate(genre)]
    return log, users, pd.DataFrame({"tags": tags}), city, genre


@pytest.fixture(scope="module", params=["fm", "dnfm"])
def fitted(request, shop):
    log, users, items, *_ = shop
    return AttributeRecommender(users, items, request.param, epochs=15, **OPTIONS).fit(log)


def own_genre_wins(scores, city, genre):
    """Share of (user, new item of their genre, new item of another) in the right order."""
    right = [
        row[genre == c][:, None] > row[genre != c] for row, c in zip(scores, city, strict=True)
    ]
    return np.mean([each.mean() for each in right])


def test_items_that_nobody_took_are_ranked_by_their_attributes(fitted, shop):
    _, _, _, city, genre = shop
    scores = fitted.scores(np.arange(N_USERS - NEW_USERS))[:, -NEW_ITEMS:]
    assert own_genre_wins(scores, city[:-NEW_USERS], genre[-NEW_ITEMS:]) > 0.95


def test_users_without_a_history_are_known_by_their_attributes(fitted, shop):
    _, _, _, city, genre = shop
    new = np.arange(N_USERS - NEW_USERS, N_USERS)
    assert own_genre_wins(fitted.scores(new)[:, :-NEW_ITEMS], city[new], genre[:-NEW_ITEMS]) > 0.95


def test_without_attributes_all_new_items_are_alike(shop):
    log, *_ = shop
    scores = AttributeRecommender(epochs=2, **OPTIONS).fit(log).scores([0])
    assert len(np.unique(scores[0, -NEW_ITEMS:])) == 1
    assert len(np.unique(scores[0, :-NEW_ITEMS])) > 20


def test_saved_and_loaded_it_is_the_same_and_can_learn_again(fitted, shop, tmp_path):
    log, *_ = shop
    everyone = np.arange(N_USERS)
    again = AttributeRecommender.load(fitted.save(tmp_path / "attributes"))
    np.testing.assert_array_equal(again.scores(everyone), fitted.scores(everyone))
    assert again.config() == fitted.config()
    with pytest.raises(IndexError, match="User 60 is unknown"):
        again.scores([N_USERS])
    np.testing.assert_array_equal(again.fit(log).scores(everyone), fitted.scores(everyone))


def test_without_attributes_it_is_saved_too(shop, tmp_path):
    model = AttributeRecommender(epochs=1, **OPTIONS).fit(shop[0])
    again = AttributeRecommender.load(model.save(tmp_path / "ids"))
    np.testing.assert_array_equal(again.scores([0, 1]), model.scores([0, 1]))
    assert again.users is again.items is None


def test_values_of_one_attribute_share_their_ids():
    side = SideTable("items", pd.DataFrame({"tags": [("a", "b"), ("b",), ()]}), 3, offset=0)
    assert side.features[:, 1:].tolist() == [[5, 6], [6, 4], [4, 4]]
    assert (side.n_features, side.n_fields) == (7, 3)


def test_attributes_must_cover_everybody(shop):
    log, users, *_ = shop
    with pytest.raises(ValueError, match="users has 59 rows of attributes"):
        AttributeRecommender(users=users[:-1], **OPTIONS).fit(log)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"kind": "lr"}, "expected one of fm"),
        ({"kind": "dnn", "hidden": ()}, "hidden"),
        ({"hidden_ids": 1.0}, "hidden_ids"),
        ({"l2": -1.0}, "l2"),
        ({"negatives": 0}, "negatives"),
    ],
)
def test_settings_out_of_range_are_named(given, name):
    with pytest.raises(ValueError, match=name):
        AttributeRecommender(**given)
