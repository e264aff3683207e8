"""Checks of lesson 08: a lookup over shards, tables placed evenly, the time of a ring."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check


@check
def sharded_lookup(attempt: Callable) -> str | None:
    """Five rows on two workers; ids that repeat, and ids of one worker only."""
    table = np.arange(10.0).reshape(5, 2)
    shards = [table[0::2].copy(), table[1::2].copy()]
    for ids in (np.array([3, 0, 3, 4]), np.array([1, 1]), np.array([2])):
        found = np.asarray(answer(attempt, ids, [shard.copy() for shard in shards]), float)
        if found.shape != (len(ids), 2):
            return f"Return a vector for each id, {(len(ids), 2)}; got the shape {found.shape}."
        if np.allclose(found, table[ids]):
            continue
        if np.allclose(np.sort(found, 0), np.sort(table[ids], 0)):
            return (
                f"The right vectors in another order: ids {ids.tolist()} must come back in the "
                "order in which they were asked for."
            )
        half = -(-len(table) // 2)
        if all(
            np.allclose(f, shards[i // half][i % half - (i >= half)])
            for f, i in zip(found, ids, strict=True)
        ):
            return "Row i is on worker i mod N, not in the i-th block of rows."
        return f"For ids {ids.tolist()} expected {table[ids].tolist()}; got {found.tolist()}."
    return None


@check
def place_tables(attempt: Callable) -> str | None:
    """Four tables on two workers that can be spread evenly, and three on three."""
    owner = answer(attempt, [60, 100, 10, 50], 2)
    if np.shape(owner) != (4,):
        return f"Return the worker of each table, four numbers; got the shape {np.shape(owner)}."
    owner = np.asarray(owner).tolist()
    if not set(owner) <= {0, 1}:
        return f"Workers are 0 and 1; got {sorted(set(owner))}."
    held = [
        sum(rows for rows, o in zip((60, 100, 10, 50), owner, strict=True) if o == w)
        for w in (0, 1)
    ]
    if max(held) > 110:
        return (
            f"The fullest worker holds {max(held)} rows; 110 is possible. Place the largest table "
            "first, each where the fewest rows are."
        )
    if sorted(answer(attempt, [1, 1, 1], 3)) != [0, 1, 2]:
        return "Right for two workers. Three equal tables on three workers: one each."
    return None


@check
def ring_seconds(attempt: Callable) -> str | None:
    """A million bytes on four workers, a microsecond a message, a nanosecond a byte."""
    found = answer(attempt, 1e6, 4, 1e-6, 1e-9)
    if np.shape(found) != ():
        return f"Return one number, seconds; got the shape {np.shape(found)}."
    if np.isclose(found, 3 * (1e-6 + 0.25e6 * 1e-9)):
        return "That is one half. N - 1 rounds add up, and N - 1 more hand the sums on."
    if np.isclose(found, 6 * (1e-6 + 1e6 * 1e-9)):
        return "A message is one chunk: n / N bytes, not all n."
    if np.isclose(found, 6e-6 + 1e6 * 1e-9):
        return "Each of the 2(N-1) messages has n / N bytes: together 2(N-1)/N · n."
    if not np.isclose(found, 6 * (1e-6 + 0.25e6 * 1e-9)):
        return "2(N-1) messages of n / N bytes, each α + bytes · β: .001506 s here."
    if not np.isclose(answer(attempt, 1e6, 1, 1e-6, 1e-9), 0):
        return "One worker has nobody to talk to: 0 seconds."
    return None
