"""Checks of lesson 13: soft targets, rows in use, bytes of a codebook."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close

SCORES = np.array([2.0, 6.0, 0.0, 4.0])
TAKEN = np.array([False, True, False, False])


@check
def soft_targets(attempt: Callable) -> str | None:
    """Four items, of which the user has one; at a temperature of 2 the others have 1, 0 and 2."""
    found = np.asarray(answer(attempt, SCORES, TAKEN, 2.0), float)
    if found.shape != (4,):
        return f"There is a target for each of the 4 items, taken or not; got {found.shape}."
    powers = np.exp([1.0, 3.0, 0.0, 2.0])
    right = np.where(TAKEN, 0, powers) / powers[~TAKEN].sum()
    if close(found, powers / powers.sum()):
        return "The user has the second item: its target is 0, and the others share all the rest."
    if close(found, np.where(TAKEN, 0, powers / powers.sum())):
        return "The targets add up to 1 over the items that the user does not have."
    free = np.exp(np.where(TAKEN, -np.inf, SCORES))
    if close(found, free / free.sum()):
        return "Divide the scores by the temperature first."
    free = np.exp(np.where(TAKEN, -np.inf, SCORES * 2))
    if close(found, free / free.sum()):
        return "A high temperature makes the targets more alike: divide by it, do not multiply."
    if not close(found, right):
        return "exp(score / temperature) of the items that are left, divided by their sum."
    large = np.asarray(answer(attempt, SCORES + 2000, TAKEN, 2.0), float)
    if not close(large, right):
        return "With scores of 2000, exp overflows. Subtract the largest score first."
    return None


@check
def rows_in_use(attempt: Callable) -> str | None:
    """Two ids in two rows: both in one row, or one in each, equally often."""
    found = float(answer(attempt, 2, 2))
    if close(found, 2):
        return "Two ids in two rows meet half of the time; then only one row is in use."
    if close(found, 0.5):
        return "That is how many rows stay empty; how many are in use?"
    if not close(found, 1.5):
        return "For 2 ids and 2 rows it is 1.5: one row or two, equally often."
    found, right = float(answer(attempt, 5, 3)), 3 * (1 - (2 / 3) ** 5)
    if close(found, 5 - right):
        return "That is how many ids are left over; how many rows are in use?"
    if close(found, 3 * (1 - (2 / 3) ** 4)):
        return "All n ids have to miss a row, not n - 1, before it stays empty."
    if close(found, 1 - (2 / 3) ** 5):
        return "That is the chance that one row is in use; there are m of them."
    if not close(found, right):
        return "A row is missed by one id with probability 1 - 1/m, by all n with its n-th power."
    return None


@check
def clustered_bytes(attempt: Callable) -> str | None:
    """A thousand weights in 16 clusters, then a thousand and one in 5."""
    found = float(answer(attempt, 1000, 16))
    if close(found, 500):
        return "The codebook is stored, too: 16 numbers of 4 bytes."
    if close(found, 1000 * 4 + 64):
        return "That counts bits as bytes; there are 8 bits in a byte."
    if close(found, 500 + 16):
        return "A number of the codebook is a float32: 4 bytes."
    if close(found, 1000 + 64):
        return "A code for 16 clusters takes 4 bits, not a whole byte."
    if close(found, 1000 * 16 / 8 + 64):
        return "16 clusters do not need 16 bits: with b bits there are 2^b codes."
    if not close(found, 564):
        return "1000 codes of 4 bits are 500 bytes; the codebook has 16 numbers of 4 bytes."
    found = float(answer(attempt, 1001, 5))
    if close(found, 1001 * np.log2(5) / 8 + 20) or close(
        found, np.ceil(1001 * np.log2(5) / 8) + 20
    ):
        return "5 clusters need log2(5) = 2.32 bits a code, and a code has whole bits: 3."
    if close(found, 1001 * 2 / 8 + 20) or close(found, 251 + 20):
        return "2 bits tell 4 clusters apart, not 5: round up."
    if not (close(found, 376 + 20) or close(found, 1001 * 3 / 8 + 20)):
        return "1001 codes of 3 bits, and 5 numbers of 4 bytes."
    return None
