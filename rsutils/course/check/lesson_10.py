"""Checks of lesson 10: how often to save, which checkpoint to trust, how to share what is left."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check


@check
def saving_interval(attempt: Callable) -> str | None:
    """Saving takes 2 s, a worker fails every 10,000 s: alone, and a hundred of them."""
    found = answer(attempt, 2.0, 10_000.0, 1)
    if np.shape(found) != ():
        return f"Return one number, seconds; got the shape {np.shape(found)}."
    if np.isclose(found, np.sqrt(2.0 * 10_000)):
        return "A failure costs half an interval on average, not a whole one: a factor is missing."
    if np.isclose(found, 2 * 2 * 10_000):
        return "Take the root: the interval is sqrt(2 · save · M)."
    if not np.isclose(found, 200.0):
        return (
            "The interval τ that makes save / τ + τ / (2 M) smallest is the root of 2 · save · M."
        )
    found = answer(attempt, 2.0, 10_000.0, 100)
    if np.isclose(found, 200.0):
        return "Right for one worker. Of a hundred, one fails a hundred times as often."
    if np.isclose(found, 2000.0):
        return "The other way round: more workers fail more often, so save more often."
    if np.isclose(found, 2.0):
        return "Not the interval is a hundredth, but the time between failures under the root."
    if not np.isclose(found, 20.0):
        return "With a hundred workers the time between failures is 100 s: the root of 2 · 2 · 100."
    return None


@check
def newest_whole(attempt: Callable) -> str | None:
    """Three checkpoints, of which the newest is cut short."""
    import hashlib

    def digest(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    good = {
        step: (f"state {step}".encode(), digest(f"state {step}".encode())) for step in (9, 10, 2)
    }
    if answer(attempt, dict(good)) == 9:
        return "Steps are numbers: 10 comes after 9, although it is sorted before it as text."
    if answer(attempt, dict(good)) != 10:
        return "All three are whole: take the newest, step 10."
    cut = {**good, 10: (good[10][0][:-3], good[10][1])}
    if answer(attempt, cut) == 10:
        return "Step 10 is cut short: its SHA-256 is not the one that was written beside it."
    if answer(attempt, cut) != 9:
        return "Step 10 is damaged; the newest whole one is step 9."
    none = {step: (b"", known) for step, (_, known) in good.items()}
    if answer(attempt, {**none, 1: (b"x", digest(b"x"))}) != 1:
        return "Where all newer ones are damaged, go back as far as it takes."
    try:
        nothing = attempt(none)
    except Exception as error:
        return f"With no whole checkpoint at all, return None; yours raised {type(error).__name__}."
    if nothing is not None:
        return "With no whole checkpoint at all, return None."
    return None
