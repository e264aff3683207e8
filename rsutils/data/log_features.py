"""From a log to training examples in pandas, each with what was known at its moment.

``rsutils.parallel.spark_features`` has the same functions on a cluster, and gives the same numbers
to the last bit. That is why ratings are added up as whole thousandths (a sum of whole numbers does
not depend on its order), negatives come from a hash of their row, and no logarithm is taken here
(two libraries may differ in its last bit): a model takes it from the counts, and serves with it.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from rsutils.data.interactions import Interactions
from rsutils.data.row_hash import hash_rows
from rsutils.data.splits import FEWEST

DAY = 86_400
DRAWING, ORDER = 0, 1
"""What a hash is for; else the order of the rows would tell which items were drawn."""
PARTS = ("train", "validation", "test")
FEATURES = tuple(f"{key}_{what}" for key in ("user", "item") for what in ("rows", "days", "rating"))
"""What an example knows of its user and of its item."""


def log_table(interactions: Interactions) -> pd.DataFrame:
    """The log as a table: ``position`` (its row in the log), user, item, rating, timestamp.

    A table on a cluster has no order of its own, so that the position has to be a column.

    Example:
        >>> log_table(Interactions.of(user=[0, 1], item=[5, 3], timestamp=[20, 10]))
           position  user  item  rating  timestamp
        0         0     0     5     1.0         20
        1         1     1     3     1.0         10
    """
    columns = {
        name: getattr(interactions, name) for name in ("user", "item", "rating", "timestamp")
    }
    return pd.DataFrame({"position": np.arange(len(interactions)), **columns})


def mark_parts(log: pd.DataFrame) -> pd.DataFrame:
    """The log with a column ``part``: train, validation or test, as ``leave_last_out`` cuts it.

    Example:
        >>> log = log_table(Interactions.of(user=[0, 0, 0, 1], item=[5, 6, 7, 5]))
        >>> mark_parts(log).part.tolist()
        ['train', 'validation', 'test', 'train']
    """
    by_user = log.sort_values(["user", "timestamp", "position"]).groupby("user")["user"]
    after = by_user.cumcount(ascending=False).reindex(log.index)
    enough = by_user.transform("size").reindex(log.index) >= FEWEST
    part = np.select(
        [enough & (after == 0), enough & (after == 1)], ["test", "validation"], "train"
    )
    return log.assign(part=part)


def draw_negatives(
    wanted: pd.DataFrame, seen: pd.DataFrame, n: int, n_items: int, seed: int
) -> pd.DataFrame:
    """``n`` rows for each row of ``wanted``, with items that its user has nowhere in ``seen``.

    Of the u items that a user has not seen, the one with number (hash mod u) is taken, counted
    from the lowest id: each is as likely as another, and nothing is drawn again.

    Args:
        wanted: with position and user.
        seen: with user and item.
        n: rows for each.
        n_items: items that exist.
        seed: of the hash, which is of the seed, the position and the draw.

    Returns:
        ``wanted`` n times, with ``draw`` from 1 to n and another ``item``.

    Raises:
        ValueError: a user has seen all items.

    Example:
        >>> log = log_table(Interactions.of(user=[0, 0, 0], item=[0, 1, 3]))
        >>> draw_negatives(log[:2], seen=log, n=2, n_items=5, seed=1).item.tolist()
        [2, 2, 2, 4]
    """
    drawn = wanted.loc[wanted.index.repeat(n)].reset_index(drop=True)
    drawn["draw"] = np.tile(np.arange(1, n + 1, dtype=np.int32), len(wanted))
    pairs = seen[["user", "item"]].drop_duplicates().sort_values(["user", "item"])
    left = n_items - drawn["user"].map(pairs.groupby("user").size()).fillna(0).astype(np.int64)
    if len(left) and left.min() < 1:
        raise ValueError(
            f"user {drawn['user'][left.idxmin()]} has all {n_items} items; none is left to draw. "
            "Leave this user out."
        )
    number = np.mod(hash_rows(seed, DRAWING, drawn["position"], drawn["draw"]), left)
    # The j-th item seen has (item - j) unseen ones below it; those at or below the number come
    # before the item that is taken.
    below = pairs["item"] - pairs.groupby("user").cumcount()
    keys = pairs["user"].to_numpy(np.int64) * (n_items + 1) + below.to_numpy()
    start = np.searchsorted(pairs["user"], drawn["user"], side="left")
    stop = np.searchsorted(keys, drawn["user"].to_numpy(np.int64) * (n_items + 1) + number, "right")
    return drawn.assign(item=(number + stop - start).astype(np.int32))


def add_history(rows: pd.DataFrame, log: pd.DataFrame, key: str) -> pd.DataFrame:
    """Tell each row what the log knew of its user, or its item, before the row's moment.

    A moment is a timestamp, and of equal ones the position in the log.

    Args:
        rows: with position, timestamp and ``key``.
        log: of :func:`log_table`.
        key: ``"user"`` or ``"item"``.

    Returns:
        ``rows`` with ``{key}_rows`` (int32, earlier rows of the log), ``{key}_days`` (int32, whole
        days since the last of them, -1 for none) and ``{key}_rating`` (float64, their mean rating,
        0 for none).

    Example:
        >>> log = log_table(Interactions.of([0, 0, 1], [7, 7, 7], [2, 5, 3], [0, 90_000, 90_001]))
        >>> add_history(log, log, "item").filter(like="item_")
           item_rows  item_days  item_rating
        0          0         -1          0.0
        1          1          1          2.0
        2          2          0          3.5
    """
    order = log.sort_values(["timestamp", "position"]).reset_index(drop=True)
    known = pd.DataFrame(
        {
            "moment": np.arange(len(order)),
            key: order[key],
            "count": order.groupby(key).cumcount() + 1,
            "total": thousandths(order["rating"]).groupby(order[key]).cumsum(),
            "last": order["timestamp"],
        }
    )
    asked = rows.assign(
        moment=rows["position"].map(pd.Series(known["moment"].array, order["position"])),
        place=np.arange(len(rows)),
    ).sort_values("moment")
    found = pd.merge_asof(asked, known, on="moment", by=key, allow_exact_matches=False)
    found = found.sort_values("place").set_index(rows.index)
    count, total = found["count"].fillna(0), found["total"].fillna(0)
    days = (found["timestamp"] - found["last"]).floordiv(DAY).fillna(-1)
    return rows.assign(
        **{
            f"{key}_rows": count.astype(np.int32),
            f"{key}_days": days.astype(np.int32),
            f"{key}_rating": np.where(count > 0, total / (1000 * count.clip(lower=1)), 0.0),
        }
    )


def thousandths(rating: pd.Series) -> pd.Series:
    """Ratings as whole numbers, rounded half up.

    Example:
        >>> thousandths(pd.Series([4.5, 3.7], dtype="float32")).tolist()
        [4500, 3700]
    """
    return np.floor(rating.astype(np.float64) * 1000 + 0.5).astype(np.int64)


def add_histories(rows: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """:func:`add_history` of the user and of the item: all ``FEATURES``, known at the moment."""
    return add_history(add_history(rows, log, "user"), log, "item")


def examples(
    log: pd.DataFrame,
    part: str,
    n: int,
    n_items: int,
    seed: int,
    describe: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame] = add_histories,
) -> pd.DataFrame:
    """Rows to train on or to judge by: the observed ones of a part, and ``n`` drawn for each.

    For training, items are drawn that the user does not have in the training part; a row that was
    held out may be among them, as nobody knows of it yet. To judge by, items are drawn that the
    user has nowhere.

    Args:
        log: of :func:`mark_parts`.
        part: train, validation or test.
        n: drawn rows for an observed one.
        n_items: items that exist.
        seed: of the drawing and of the order.
        describe: adds features to rows, from the log.

    Returns:
        position, draw (0 for the observed row), user, item, timestamp, label and the features, in
        the order of a hash: shuffled, and the same everywhere.

    Raises:
        ValueError: the part is unknown, or a user has nothing left to draw.

    Example:
        >>> log = Interactions.of(user=[0, 0, 0, 1], item=[0, 1, 2, 2], n_items=5)
        >>> examples(mark_parts(log_table(log)), "test", 1, 5, seed=0)[["item", "label"]]
           item  label
        0     4    0.0
        1     2    1.0
    """
    check_part(part)
    observed = log[log["part"] == part].drop(columns=["part", "rating"])
    seen = log[log["part"] == part] if part == "train" else log
    drawn = draw_negatives(observed, seen, n, n_items, seed)
    rows = pd.concat([observed.assign(draw=np.int32(0)), drawn], ignore_index=True)
    rows["label"] = (rows["draw"] == 0).astype(np.float32)
    rows = describe(rows, log)
    order = np.argsort(hash_rows(seed, ORDER, rows["position"], rows["draw"]), kind="stable")
    names = ["position", "draw", "user", "item", "timestamp", "label"]
    rows = rows.iloc[order].reset_index(drop=True)
    return rows[names + [name for name in rows if name not in names]]


def check_part(part: str) -> None:
    """Raise ValueError where ``part`` is none of ``PARTS``."""
    if part not in PARTS:
        raise ValueError(f"part is {part!r}; expected one of {', '.join(PARTS)}.")
