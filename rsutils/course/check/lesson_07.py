"""Checks of lesson 07: a ring all-reduce by hand, rows for each worker, bytes that travel."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check


@check
def ring_allreduce(attempt: Callable) -> str | None:
    """Three workers with three numbers each, then two with four."""
    vectors = [
        np.array([1.0, 2.0, 3.0]),
        np.array([10.0, 20.0, 30.0]),
        np.array([100.0, 200.0, 300.0]),
    ]
    given = [vector.copy() for vector in vectors]
    found = answer(attempt, given)
    if not isinstance(found, tuple) or len(found) != 2:
        return "Return two things: the list of the workers' vectors, and the numbers each one sent."
    results, sent = found
    if len(results) != 3 or any(np.shape(result) != (3,) for result in results):
        return "Return a vector of three numbers for each of the three workers."
    total = np.array([111.0, 222.0, 333.0])
    right = [np.allclose(result, total) for result in results]
    if all(np.allclose(result, total / 3) for result in results):
        return "That is the mean. An all-reduce adds up; dividing by N comes after it."
    if not any(right):
        whole = [place for place in range(3) if any(r[place] == total[place] for r in results)]
        if len(whole) == 3:
            return (
                "Each sum is complete on one worker: the first half is done. Now send the complete "
                "chunks around the ring, N - 1 more times."
            )
        return f"The sum is 111, 222, 333; the first worker has {np.round(results[0], 2)}."
    if not all(right):
        return f"Only {sum(right)} of 3 workers has the whole sum. Send it on until all have it."
    if np.shape(sent) == ():
        sent = [sent] * 3
    if list(sent) == [6, 6, 6]:
        return (
            "Each worker sent 6 numbers: whole vectors, twice. In a ring it sends one chunk at a "
            "time, 2(N-1) chunks of n / N numbers: 4."
        )
    if list(sent) != [4, 4, 4]:
        return f"Each worker sends 2(N-1) chunks of n / N numbers, here 4; counted were {sent}."
    results, sent = answer(attempt, [np.array([1.0, 2, 3, 4]), np.array([5.0, 6, 7, 8])])
    if not all(np.allclose(result, [6, 8, 10, 12]) for result in results):
        return "Right for three workers; for two with four numbers each the sum is 6, 8, 10, 12."
    if list(np.broadcast_to(sent, 2)) != [4, 4]:
        return f"Two workers with four numbers each send 2 chunks of 2 numbers: 4, not {sent}."
    return None


@check
def rows_of_worker(attempt: Callable) -> str | None:
    """Seven rows on two workers in batches of two, then sizes that divide."""
    order = np.array([3, 0, 6, 2, 5, 1, 4])
    parts = [list(answer(attempt, order, 2, rank, 2)) for rank in range(2)]
    if any(np.ndim(batch) != 1 for part in parts for batch in part):
        return "Return a list of arrays of row numbers, one a step."
    if len(parts[0]) != len(parts[1]):
        return (
            f"One worker has {len(parts[0])} steps, the other {len(parts[1])}: the first to finish "
            "leaves the other waiting for ever."
        )
    seen = np.concatenate([np.concatenate(part) for part in parts])
    if len(seen) > len(set(seen.tolist())):
        return "Some rows are seen twice in an epoch. Give each worker other rows."
    if set(seen.tolist()) != set(range(7)):
        lost = sorted(set(range(7)) - set(seen.tolist()))
        return f"Rows {lost} are never seen. The last, smaller batches belong to the epoch, too."
    sizes = [len(batch) for part in parts for batch in part]
    if max(sizes) > 2:
        return f"A batch has {max(sizes)} rows; the most that fits is 2."
    if min(sizes) == 0:
        return "A batch is empty: its mean loss is 0/0. Cut each batch evenly."
    lengths = [len(list(answer(attempt, np.arange(9), 2, rank, 2))) for rank in range(2)]
    if lengths[0] != lengths[1]:
        return f"Right for 7 rows; with 9 rows one worker has {lengths[0]} steps, one {lengths[1]}."
    nine = [list(answer(attempt, np.arange(9), 2, rank, 2)) for rank in range(2)]
    if min(len(batch) for part in nine for batch in part) == 0:
        return (
            "Right for 7 rows. With 9, the last batch is one row for two workers, and an empty "
            "part has no mean. Join such a batch to the one before."
        )
    even = [list(answer(attempt, np.arange(8), 2, rank, 2)) for rank in range(2)]
    steps = [sorted(np.concatenate(step).tolist()) for step in zip(*even, strict=True)]
    if steps != [[0, 1, 2, 3], [4, 5, 6, 7]]:
        return (
            "Together, the workers' first batches should be the first four rows of the order, as "
            f"one worker's batch of four would be; they are {steps[0]}."
        )
    return None


@check
def bytes_sent(attempt: Callable) -> str | None:
    """A table of 1000 rows of 8 numbers; batches that name 10 rows; two and four workers."""
    found = answer(attempt, 1000, 8, 10, 2)
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Return two numbers: bytes for the whole table, bytes for the named rows."
    dense, sparse = found
    if dense == 1000 * 8:
        return "Those are numbers; float32 takes 4 bytes each."
    if dense == 2 * 1000 * 8 * 4:
        return "In a ring a worker sends 2(N-1)/N times the bytes, not 2 times: with N = 2, once."
    if dense != 1000 * 8 * 4:
        return "Whole table: 2(N-1)/N · rows · dimensions · 4 bytes; with N = 2 that is 32,000."
    if sparse == 10 * 8 * 4:
        return "The others also need to know which rows these are: an int32 a row, 4 bytes."
    if sparse == 2 * 10 * (8 * 4 + 4):
        return "A worker sends its rows to the N - 1 others, and not to itself."
    if sparse != 10 * (8 * 4 + 4):
        return "Named rows: (N-1) · rows · (dimensions · 4 + 4) bytes; with N = 2 that is 360."
    if not np.allclose(answer(attempt, 1000, 8, 10, 4), (48_000, 1080)):
        return "Right for two workers; with four it is 48,000 and 1,080 bytes."
    return None
