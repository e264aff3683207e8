"""Checks of lesson 15: a few lists, early renewal, one request after the other."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close

CENTROIDS = np.array([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
LIST_OF = np.array([0, 0, 1, 2, 1, 0])
VECTORS = np.array([[1.0, 0.5], [0.5, 0.0], [0.0, 1.0], [-9.0, 0.0], [-0.5, 2.0], [6.0, -5.5]])
QUERY = np.array([1.0, 0.9])


@check
def search_lists(attempt: Callable) -> str | None:
    """Six vectors in three lists; the query is nearest to the first list, then to the second."""

    def found(probes: int, k: int, query: np.ndarray = QUERY) -> list[int]:
        given = answer(attempt, query, VECTORS, LIST_OF, CENTROIDS, probes, k)
        return np.asarray(given).astype(int).ravel().tolist()

    one = found(1, 2)
    hints = {
        (0, 4): "Only vectors of the chosen lists count: vector 4 is in another one.",
        (3,): "Take the lists whose centroids have the largest inner products, not the smallest.",
        (4, 2): "Choose the lists by inner products with their centroids, not by distances.",
        (0, 1): "Rank the vectors by inner products with the query, not by distances.",
        (5, 0): "Best first: the largest inner product stands at the front.",
        (1, 5): "The largest inner products are wanted, and these are the smallest.",
    }
    if tuple(one) in hints:
        return hints[tuple(one)]
    if one != [0, 5]:
        return (
            "With one list and k = 2: vectors 0 (inner product 1.45) and 5 (1.05), in this order."
        )
    second = found(1, 2, np.array([0.0, 1.0]))
    if second in ([1, 0], [0, 1]):
        return "Return the numbers that the vectors have among all, not within their lists."
    if second != [4, 2]:
        return "For the query (0, 1) and one list: vectors 4 and 2, the only ones in list 1."
    both = found(2, 3)
    if both == [0, 5, 1]:
        return "With two probes, two lists are looked into."
    if both != [0, 4, 5]:
        return "With two lists and k = 3: vectors 0, 4 and 5."
    if found(1, 5, np.array([-1.0, 0.0])) != [3]:
        return "A list may hold fewer than k vectors: return those that it has."
    return None


@check
def renew(attempt: Callable) -> str | None:
    """An answer that expires at 10 and takes 2 seconds to make; with 1/e the draw is 1."""

    def found(now: float, took: float, beta: float, uniform: float) -> bool:
        return bool(answer(attempt, now, 10.0, took, beta, uniform))

    if not found(11.0, 2.0, 1.0, 1.0):
        return "The expiry has passed: whoever asks should renew, whatever the draw."
    if found(9.0, 2.0, 0.0, 0.01):
        return "With beta = 0 nobody renews before the expiry."
    draw = float(np.exp(-1))
    if not found(8.5, 2.0, 1.0, draw):
        return "The logarithm of a number below 1 is negative: minus it makes the time later."
    if found(7.5, 2.0, 1.0, draw):
        return "With a draw of 1, 2 seconds to make and beta = 1: from 8 on, not before."
    if found(8.5, 1.0, 1.0, draw):
        return "What is made faster is renewed later: multiply by the seconds that it took."
    if not found(7.5, 2.0, 2.0, draw):
        return "A larger beta renews earlier: multiply by it."
    if found(8.5, 2.0, 1.0, 0.9):
        return "The draw is -log(uniform): near 1 it is small, and it is too early to renew."
    if not found(4.5, 2.0, 1.0, float(np.exp(-3))):
        return "The draw is -log(uniform), 3 for e to the power of -3: three times as early."
    return None


@check
def finished(attempt: Callable) -> str | None:
    """The second waits for the first; the third comes when nobody is there; the fourth waits."""
    arrivals, service = np.array([1.0, 2.0, 8.0, 8.5]), np.array([3.0, 2.0, 1.0, 1.0])
    found = np.asarray(answer(attempt, arrivals, service), float)
    right = np.array([4.0, 6.0, 9.0, 10.0])
    if found.shape != (4,):
        return f"There is a moment for each of the 4 requests; got an array of shape {found.shape}."
    if close(found, arrivals + service):
        return "Only one at a time: the second comes while the first is still being answered."
    if close(found, 1.0 + np.cumsum(service)) or close(found, np.cumsum(service)):
        return "Nobody is answered before they come: the server is idle until the third arrives."
    if close(found, right - arrivals):
        return "That is how long each takes from its arrival; return the moment of its end."
    if close(found, right - service):
        return "That is when each is begun; it is answered when its service time has passed."
    if close(found, right - arrivals - service):
        return "That is how long each waits before it is begun; return the moment of its end."
    if not close(found, right):
        return (
            "The ends are 4, 6, 9 and 10: each begins at its arrival or the end before, the later."
        )
    return None
