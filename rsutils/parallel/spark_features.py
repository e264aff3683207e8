"""``rsutils.data.log_features`` on a cluster: the same functions, and the same numbers.

Each function takes and gives Spark's tables, whose rows have no order: what needs one, sorts by
columns. Nothing is computed before a table is written or counted.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rsutils.data.log_features import DAY, DRAWING, ORDER, check_part
from rsutils.data.splits import FEWEST

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def mark_parts(log: "DataFrame") -> "DataFrame":
    """``log_features.mark_parts``: a column ``part``, as ``leave_last_out`` cuts the log.

    Args:
        log: with position, user, item, rating and timestamp.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    user = Window.partitionBy("user")
    backwards = user.orderBy(F.desc("timestamp"), F.desc("position"))
    number, size = F.row_number().over(backwards), F.count("*").over(user)
    part = F.when((size >= FEWEST) & (number == 1), "test")
    part = part.when((size >= FEWEST) & (number == 2), "validation").otherwise("train")
    return log.withColumn("part", part)


def draw_negatives(
    wanted: "DataFrame", seen: "DataFrame", n: int, n_items: int, seed: int
) -> "DataFrame":
    """``log_features.draw_negatives``; a user who has seen all items fails when it is computed.

    Args:
        wanted: with position and user.
        seen: with user and item.
        n: rows for each.
        n_items: items that exist.
        seed: of the hash.
    """
    from pyspark.sql import functions as F

    items = seen.groupBy("user").agg(F.sort_array(F.collect_set("item")).alias("_seen"))
    draws = F.explode(F.sequence(F.lit(1), F.lit(n)))
    rows = wanted.withColumn("draw", draws).join(items, "user", "left")
    rows = rows.withColumn("_seen", F.coalesce("_seen", F.array().cast("array<int>")))
    left = F.lit(n_items) - F.size("_seen")
    message = F.concat(
        F.lit("user "), F.col("user"), F.lit(f" has all {n_items} items; none is left to draw.")
    )
    left = F.when(left > 0, left).otherwise(F.raise_error(message).cast("int"))
    rows = rows.withColumn("_number", F.pmod(hashed(seed, DRAWING, "position", "draw"), left))
    before = F.filter("_seen", lambda item, place: item - place <= F.col("_number"))
    item = (F.col("_number") + F.size(before)).cast("int")
    return rows.withColumn("item", item).drop("_seen", "_number")


def hashed(seed: int, purpose: int, *names: str) -> "Column":
    """``hash_rows(seed, purpose, ...)``, with all numbers as eight bytes."""
    from pyspark.sql import functions as F

    numbers = [F.lit(seed), F.lit(purpose), *map(F.col, names)]
    return F.xxhash64(*[number.cast("long") for number in numbers])


def add_history(rows: "DataFrame", log: "DataFrame", key: str) -> "DataFrame":
    """``log_features.add_history``: what the log knew at each row's moment.

    Questions and what happened are put into one table, sorted by time within each user or item,
    and added up from its top. A question comes before what happened at its own moment.

    Args:
        rows: with position, timestamp and ``key``.
        log: with position, timestamp, rating and ``key``.
        key: ``"user"`` or ``"item"``.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    thousandths = F.floor(F.col("rating").cast("double") * 1000 + 0.5)
    events = log.select(
        key,
        "timestamp",
        "position",
        F.lit(1).alias("_happened"),
        thousandths.alias("_total"),
        F.col("timestamp").alias("_last"),
    )
    both = rows.withColumn("_happened", F.lit(0)).unionByName(events, allowMissingColumns=True)
    order = Window.partitionBy(key).orderBy("timestamp", "position", "_happened")
    before = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    count, total = F.sum("_happened").over(before), F.sum("_total").over(before)
    last = F.last("_last", ignorenulls=True).over(before)
    found = both.select("*", count.alias("_n"), total.alias("_sum"), last.alias("_before"))
    found = found.where("_happened = 0")
    days = F.coalesce(F.expr(f"(timestamp - _before) div {DAY}"), F.lit(-1))
    mean = F.when(F.col("_n") > 0, F.col("_sum").cast("double") / (F.col("_n") * 1000))
    return found.select(
        *rows.columns,
        F.col("_n").cast("int").alias(f"{key}_rows"),
        days.cast("int").alias(f"{key}_days"),
        F.coalesce(mean, F.lit(0.0)).alias(f"{key}_rating"),
    )


def add_histories(rows: "DataFrame", log: "DataFrame") -> "DataFrame":
    """:func:`add_history` of the user and of the item."""
    return add_history(add_history(rows, log, "user"), log, "item")


def examples(
    log: "DataFrame",
    part: str,
    n: int,
    n_items: int,
    seed: int,
    describe: "Callable[[DataFrame, DataFrame], DataFrame]" = add_histories,
) -> "DataFrame":
    """``log_features.examples``, with a column ``order`` by which :func:`write_sorted` sorts.

    Args:
        log: of :func:`mark_parts`.
        part: train, validation or test.
        n: drawn rows for an observed one.
        n_items: items that exist.
        seed: of the drawing and of the order.
        describe: adds features to rows, from the log.

    Raises:
        ValueError: the part is unknown.
    """
    from pyspark.sql import functions as F

    check_part(part)
    observed = log.where(F.col("part") == part).drop("part", "rating")
    seen = log.where(F.col("part") == part) if part == "train" else log
    drawn = draw_negatives(observed, seen, n, n_items, seed)
    rows = observed.withColumn("draw", F.lit(0)).unionByName(drawn)
    rows = describe(rows.withColumn("label", (F.col("draw") == 0).cast("float")), log)
    names = ["position", "draw", "user", "item", "timestamp", "label"]
    names += [name for name in rows.columns if name not in names]
    return rows.select(*names, hashed(seed, ORDER, "position", "draw").alias("order"))


def write_sorted(rows: "DataFrame", folder: Path | str) -> None:
    """Write :func:`examples` as Parquet files whose names are in the order of the rows.

    Raises:
        FileExistsError: there is something of that name; nothing is written over.
    """
    if Path(folder).exists():
        raise FileExistsError(f"{folder} exists; remove it, or choose another folder.")
    rows.orderBy("order").drop("order").write.parquet(str(folder))
