import numpy as np
import pandas as pd
import pytest

from rsutils import data
from rsutils.data import FieldRows, add_offsets, field_dataset
from rsutils.data.dataset import Dataset, Split
from rsutils.data.interactions import Interactions


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(0)
    log = Interactions.of(rng.integers(0, 20, 300), rng.integers(0, 60, 300), n_items=60)
    users = pd.DataFrame({"city": rng.choice(["Rome", "Oslo"], log.n_users)})
    genres = rng.choice(["drama|war", "war", "comedy"], log.n_items)
    return Dataset("shop", log, items=pd.DataFrame({"genres": genres}), users=users)


@pytest.fixture(scope="module")
def rows(shop):
    split = data.leave_last_out(shop.interactions)
    return field_dataset(shop, split, ["city", "genres", "colour"], negatives=3, seed=1)


def test_fields_share_one_numbering(rows, shop):
    assert rows.fields == ("user", "item", "city", "genres")
    edges = np.cumsum([0, 20, 60, 2, 3])
    assert rows.n_features == edges[-1]
    ids = np.concatenate([p.features for p in (rows.train, rows.validation, rows.test)])
    assert (ids >= edges[:-1]).all()
    assert (ids < edges[1:]).all()


def test_attributes_belong_to_their_user_and_item(rows, shop):
    ids = rows.test.features - np.array([0, 20, 80, 82])
    cities, genres = np.array(["Oslo", "Rome"]), np.array(["comedy", "drama", "war"])
    np.testing.assert_array_equal(cities[ids[:, 2]], shop.users.city[ids[:, 0]])
    first = shop.items.genres.str.split("|").str[0]
    np.testing.assert_array_equal(genres[ids[:, 3]], first[ids[:, 1]])


def test_label_1_is_observed_and_label_0_is_in_no_part(rows, shop):
    split = data.leave_last_out(shop.interactions)
    observed = set(zip(shop.interactions.user, shop.interactions.item, strict=True))
    for part, table in ((rows.train, split.train), (rows.test, split.test)):
        assert isinstance(part, FieldRows)
        assert len(part) == 4 * len(table)
        pairs = list(zip(part.features[:, 0], part.features[:, 1] - 20, strict=True))
        taken = part.label == 1
        np.testing.assert_array_equal(part.features[taken, 0], table.user)
        assert not observed & {pair for pair, is_1 in zip(pairs, taken, strict=True) if not is_1}


def test_a_split_without_validation_is_refused(shop):
    with pytest.raises(ValueError, match="no validation part"):
        field_dataset(shop, Split(shop.interactions, None, shop.interactions), [])


@pytest.mark.parametrize(
    ("ids", "sizes", "message"),
    [
        ([[0, 3]], [2, 3], "Id 3 in row 0 is outside field 1; expected 0 to 2"),
        ([[0, 0], [-1, 0]], [2, 3], "Id -1 in row 1 is outside field 0"),
        ([[0, 0]], [2], r"shape \(1, 2\) and there are 1 sizes"),
        ([0, 0], [2, 2], r"shape \(2,\)"),
    ],
)
def test_ids_outside_their_field_are_named(ids, sizes, message):
    with pytest.raises(ValueError, match=message):
        add_offsets(ids, sizes)
