"""Checks of lesson 09: what was known at a moment, items not seen, equal parts."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check


@check
def earlier_rows(attempt: Callable) -> str | None:
    """Five rows on two items, not in the order of time; then two at the same moment."""
    item = np.array([7, 7, 3, 7, 3])
    timestamp = np.array([30, 10, 20, 20, 5])
    found = answer(attempt, item.copy(), timestamp.copy())
    if np.shape(found) != (5,):
        return f"Return a number for each row, (5,); got the shape {np.shape(found)}."
    found = np.asarray(found).tolist()
    if found == [3, 3, 2, 3, 2]:
        return "Those are all rows of the item, later ones too. Count those before the moment."
    if found == [3, 1, 2, 2, 1]:
        return "The row itself was not known before it happened: leave it out."
    if found == [0, 1, 0, 2, 1]:
        return "That counts in the order of the table. The order of time is another."
    if found != [2, 0, 1, 1, 0]:
        return f"Items {item.tolist()} at {timestamp.tolist()}: expected [2, 0, 1, 1, 0]; {found}."
    tied = np.asarray(answer(attempt, np.array([1, 1]), np.array([4, 4]))).tolist()
    if tied != [0, 1]:
        return f"Of two rows at the same moment the first in the table is earlier: [0, 1]; {tied}."
    return None


@check
def nth_unseen(attempt: Callable) -> str | None:
    """Items 1, 2 and 5 of eight are seen: 0, 3, 4, 6 and 7 are left."""
    seen, left = np.array([1, 2, 5]), [0, 3, 4, 6, 7]
    found = [int(answer(attempt, seen.copy(), number)) for number in range(5)]
    if found == [0, 1, 2, 3, 4]:
        return "Number 1 is item 3: two seen items lie below it. Add how many do."
    if found == [3, 4, 5, 6, 7]:
        return "Only the seen items that lie below move the number up; that adds all of them."
    if found == [0, 2, 4, 4, 5]:
        return (
            "Compare with how many unseen items lie below each seen one, item - j, "
            "not with the item itself."
        )
    if found != left:
        return f"Numbers 0 to 4 of the items that are left are {left}; got {found}."
    if int(answer(attempt, np.array([], int), 4)) != 4:
        return "Right, but for a user who has seen nothing: number 4 is item 4."
    return None


@check
def rows_of_rank(attempt: Callable) -> str | None:
    """Eleven rows for three readers, and ten for two."""
    parts = [answer(attempt, 11, rank, 3) for rank in range(3)]
    if any(np.shape(part) != (2,) for part in parts):
        return "Return two numbers, where the part begins and where it ends."
    parts = [tuple(map(int, part)) for part in parts]
    lengths = [stop - start for start, stop in parts]
    if sorted(row for start, stop in parts for row in range(start, stop)) != list(range(11)):
        return f"Together the parts must be rows 0 to 10, each once; got {parts}."
    if max(lengths) - min(lengths) > 1:
        return (
            f"Parts of {lengths} rows: the others would wait for the longest. "
            "Lengths may differ by one."
        )
    if [tuple(map(int, answer(attempt, 10, rank, 2))) for rank in range(2)] != [(0, 5), (5, 10)]:
        return "Right for eleven rows. Ten rows for two readers: (0, 5) and (5, 10)."
    return None
