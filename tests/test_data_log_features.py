"""Examples from a log in pandas: parts, negatives, what was known at a moment, equal parts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils import data
from rsutils.data import log_features, parquet_parts
from rsutils.data.interactions import Interactions


@st.composite
def logs(draw):
    n = draw(st.integers(1, 40))
    whole = st.integers(0, 5)
    columns = [draw(st.lists(whole, min_size=n, max_size=n)) for _ in range(3)]
    days = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    seconds = np.array(days, np.int64) * 50_000
    return Interactions.of(*columns[:2], np.array(columns[2]) / 2, seconds, n_items=8)


@given(logs())
@settings(max_examples=60, deadline=None)
def test_parts_are_those_of_leave_last_out(log):
    marked = log_features.mark_parts(log_features.log_table(log))
    try:
        split = data.leave_last_out(log)
    except ValueError:
        assert (marked["part"] == "train").all()
        return
    for name in log_features.PARTS:
        part, mine = getattr(split, name), marked[marked["part"] == name]
        order = np.argsort(mine["user"], kind="stable") if name != "train" else np.arange(len(mine))
        assert mine["item"].to_numpy()[order].tolist() == part.item.tolist()
        assert mine["timestamp"].to_numpy()[order].tolist() == part.timestamp.tolist()


@given(logs(), st.sampled_from(["user", "item"]))
@settings(max_examples=30, deadline=None)
def test_history_is_what_a_loop_over_earlier_rows_finds(log, key):
    table = log_features.log_table(log)
    shuffled = table.sample(frac=1, random_state=0)
    found = log_features.add_history(shuffled, table, key)
    assert found.index.tolist() == shuffled.index.tolist()
    for _, row in found.iterrows():
        earlier = table[
            (table[key] == row[key])
            & (
                (table["timestamp"] < row["timestamp"])
                | ((table["timestamp"] == row["timestamp"]) & (table["position"] < row["position"]))
            )
        ]
        assert row[f"{key}_rows"] == len(earlier)
        mean = earlier["rating"].astype(float).mean() if len(earlier) else 0
        assert row[f"{key}_rating"] == pytest.approx(mean, abs=1e-9)
        last = earlier["timestamp"].max()
        days = (row["timestamp"] - last) // log_features.DAY if len(earlier) else -1
        assert row[f"{key}_days"] == days


@given(logs(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_negatives_are_unseen_and_the_same_wherever_a_row_lies(log, seed):
    table = log_features.log_table(log)
    drawn = log_features.draw_negatives(table, table, 3, log.n_items, seed)
    seen = set(zip(log.user, log.item, strict=True))
    assert len(drawn) == 3 * len(log)
    assert drawn["item"].between(0, log.n_items - 1).all()
    assert not seen & set(zip(drawn["user"], drawn["item"], strict=True))
    half = log_features.draw_negatives(table[::-2], table, 3, log.n_items, seed)
    both = half.merge(drawn, on=["position", "draw"])
    assert len(both) == len(half)
    assert (both["item_x"] == both["item_y"]).all()


def test_each_unseen_item_is_as_likely():
    log = Interactions.of(user=[0] * 3, item=[1, 4, 9], n_items=10)
    table = log_features.log_table(log)
    drawn = log_features.draw_negatives(table, table, 7_000, 10, seed=3)
    count = np.bincount(drawn["item"], minlength=10)
    assert (count[[1, 4, 9]] == 0).all()
    left = np.delete(count, [1, 4, 9])
    # Five standard deviations of a binomial count.
    assert np.abs(left - 3000).max() < 5 * np.sqrt(3000)


def test_a_user_who_has_seen_everything_is_named():
    table = log_features.log_table(Interactions.of(user=[3, 3], item=[0, 1], n_users=4))
    with pytest.raises(ValueError, match=r"user 3 has all 2 items.*Leave this user out"):
        log_features.draw_negatives(table, table, 1, 2, seed=0)


def test_training_may_draw_held_out_items_and_judging_may_not():
    log = Interactions.of(user=[0] * 4, item=[0, 1, 2, 3], n_items=5)
    table = log_features.mark_parts(log_features.log_table(log))
    train = log_features.examples(table, "train", 200, 5, seed=0)
    assert set(train[train["draw"] > 0]["item"]) == {2, 3, 4}
    test = log_features.examples(table, "test", 200, 5, seed=0)
    assert set(test[test["draw"] > 0]["item"]) == {4}
    with pytest.raises(ValueError, match=r"'tets'.*train, validation, test"):
        log_features.examples(table, "tets", 1, 5, seed=0)


def test_the_order_does_not_tell_which_items_were_drawn():
    """An order by the hash that also draws would sort the items of a user with few left."""
    log = Interactions.of(user=np.repeat(np.arange(50), 4), item=np.tile(np.arange(4), 50))
    table = log_features.mark_parts(log_features.log_table(log))
    rows = log_features.examples(table, "train", 20, 1000, seed=0)
    negatives = rows[rows["draw"] > 0]["item"].to_numpy()
    correlation = np.corrcoef(np.arange(len(negatives)), negatives)[0, 1]
    assert abs(correlation) < 5 / np.sqrt(len(negatives))


def test_features_are_whole_where_they_say_so():
    table = log_features.mark_parts(log_features.log_table(data.load("demo").interactions))
    rows = log_features.examples(table, "test", 1, 1200, seed=0)
    kinds = {name: str(rows[name].dtype) for name in log_features.FEATURES}
    assert kinds == {
        name: "float64" if name.endswith("rating") else "int32" for name in log_features.FEATURES
    }


def test_hashes_need_whole_numbers():
    with pytest.raises(TypeError, match=r"float64.*whole numbers"):
        data.hash_rows(np.array([0.5]))
    with pytest.raises(ValueError, match="at least one"):
        data.hash_rows()


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 9), st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_parts_of_files_are_equal_and_lose_nothing(tmp_path_factory, rows, files, group, size):
    from pyarrow import Table, parquet

    folder = tmp_path_factory.mktemp("rows") / "table"
    parquet_parts.write_parquet(pd.DataFrame({"row": np.arange(rows), "more": 1}), folder, files)
    for path in folder.glob("*.parquet"):  # with row groups that are smaller than a file
        parquet.write_table(Table.from_pandas(pd.read_parquet(path)), path, row_group_size=group)
    assert parquet_parts.count_rows(folder) == rows
    if rows < size:
        with pytest.raises(ValueError, match=f"{rows} rows for {size} readers"):
            parquet_parts.read_part(folder, 0, size)
        return
    parts = [parquet_parts.read_part(folder, rank, size, ["row"]) for rank in range(size)]
    assert [row for part in parts for row in part["row"]] == list(range(rows))
    lengths = [len(part) for part in parts]
    assert max(lengths) - min(lengths) <= 1


def test_what_was_not_written_to_its_end_is_refused(tmp_path, monkeypatch):
    table = pd.DataFrame({"row": np.arange(6)})
    monkeypatch.setattr(pd.DataFrame, "to_parquet", fails_at_second_call(pd.DataFrame.to_parquet))
    with pytest.raises(OSError, match="disk full"):
        parquet_parts.write_parquet(table, tmp_path / "rows", files=3)
    assert not (tmp_path / "rows").exists()
    monkeypatch.undo()
    parquet_parts.write_parquet(table, tmp_path / "rows", files=3)
    with pytest.raises(FileExistsError, match="choose another"):
        parquet_parts.write_parquet(table, tmp_path / "rows")
    (tmp_path / "rows" / parquet_parts.DONE).unlink()
    with pytest.raises(FileNotFoundError, match=r"not written to its end.*write it again"):
        parquet_parts.read_part(tmp_path / "rows", 0, 1)
    with pytest.raises(FileNotFoundError, match="not found"):
        parquet_parts.read_part(tmp_path / "other", 0, 1)


def fails_at_second_call(method):
    calls = []

    def write(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise OSError("disk full")
        return method(*args, **kwargs)

    return write


def test_wrong_readers_and_columns_are_refused(tmp_path):
    parquet_parts.write_parquet(pd.DataFrame({"row": [1]}), tmp_path / "rows")
    with pytest.raises(ValueError, match="rank is 2 of 2"):
        parquet_parts.read_part(tmp_path / "rows", 2, 2)
    with pytest.raises(ValueError, match="no column rwo; it has row"):
        parquet_parts.read_part(tmp_path / "rows", 0, 1, ["rwo"])
    with pytest.raises(ValueError, match="files is 0"):
        parquet_parts.write_parquet(pd.DataFrame({"row": [1]}), tmp_path / "more", files=0)
