"""Cut a table of interactions into training, validation and test parts.

Which cut is honest depends on the question. ``by_time`` asks what a system would have known at one
moment; ``leave_last_out`` asks for each user's next action, and lets a model see what other users
did later; ``random_split`` asks for ratings that were hidden at random, and says little about what
comes next.
"""

import numpy as np

from rsutils.data.dataset import Split
from rsutils.data.interactions import Interactions

FEWEST = 3
"""A user needs one row for each part before ``leave_last_out`` takes any away."""


def leave_last_out(interactions: Interactions) -> Split:
    """Each user's last row is the test, the last but one the validation, the rest training.

    Last means latest in time; of rows with equal times the later in the table. A user with fewer
    than three rows stays whole in the training part. Test and validation hold at most one row a
    user, in order of user; training keeps the order of the table.

    Raises:
        ValueError: no user has three rows.

    Example:
        >>> log = Interactions.of(user=[0, 0, 0, 1], item=[5, 6, 7, 5], timestamp=[30, 10, 20, 1])
        >>> split = leave_last_out(log)
        >>> split.train.item, split.validation.item, split.test.item
        (array([6, 5], dtype=int32), array([7], dtype=int32), array([5], dtype=int32))
    """
    order = np.lexsort((interactions.timestamp, interactions.user))
    size = np.bincount(interactions.user, minlength=interactions.n_users)
    end = np.cumsum(size)[size >= FEWEST]
    if not len(end):
        raise ValueError(
            f"No user of {interactions} has {FEWEST} rows; leave_last_out needs one each for "
            "training, validation and test. Use random_split or by_time."
        )
    test, validation = order[end - 1], order[end - 2]
    held_out = np.zeros(len(interactions), bool)
    held_out[test] = held_out[validation] = True
    return Split(
        train=interactions.take(~held_out),
        validation=interactions.take(validation),
        test=interactions.take(test),
    )


def by_time(interactions: Interactions, validation: float = 0.1, test: float = 0.1) -> Split:
    """Two cuts in time: what is trained on lies before what validates, and that before the test.

    Rows with equal times fall on the same side, so the parts may differ from the asked shares.
    Users and items that first occur after a cut are in no training row.

    Args:
        interactions: what to cut.
        validation: share of the rows, 0 for no validation part.
        test: share of the rows.

    Raises:
        ValueError: a share is out of range, or the times do not separate the parts.

    Example:
        >>> log = Interactions.of(user=[0, 1, 0, 1], item=[0, 1, 1, 0], timestamp=[4, 1, 3, 2])
        >>> split = by_time(log, validation=0.25, test=0.25)
        >>> split.train.timestamp, split.validation.timestamp, split.test.timestamp
        (array([1, 2]), array([3]), array([4]))
    """
    sizes = _sizes(len(interactions), validation, test)
    times = np.sort(interactions.timestamp)
    cuts = times[len(times) - sizes[1] - sizes[2]], times[len(times) - sizes[2]]
    part = np.searchsorted(cuts, interactions.timestamp, side="right")
    counts = np.bincount(part, minlength=3)
    if counts[0] == 0 or counts[2] == 0 or (validation > 0 and counts[1] == 0):
        raise ValueError(
            f"Equal times leave {counts[0]}, {counts[1]} and {counts[2]} rows for training, "
            f"validation and test; asked were {sizes[0]}, {sizes[1]} and {sizes[2]}. "
            "Change the shares, or use leave_last_out."
        )
    return _parts(interactions, part, validation)


def random_split(
    interactions: Interactions, validation: float = 0.1, test: float = 0.1, seed: int = 0
) -> Split:
    """Rows drawn at random, whoever's and whenever they are.

    Args:
        interactions: what to cut.
        validation: share of the rows, 0 for no validation part.
        test: share of the rows.
        seed: which of the possible cuts.

    Raises:
        ValueError: a share is out of range, or too few rows for the parts.

    Example:
        >>> split = random_split(Interactions.of(user=range(10), item=range(10)), 0.2, 0.3, seed=1)
        >>> len(split.train), len(split.validation), len(split.test)
        (5, 2, 3)
    """
    sizes = _sizes(len(interactions), validation, test)
    part = np.repeat([0, 1, 2], sizes)
    return _parts(interactions, np.random.default_rng(seed).permutation(part), validation)


def _sizes(n: int, validation: float, test: float) -> tuple[int, int, int]:
    """Rows for training, validation and test: the shares rounded, at least one where asked."""
    if not (0 <= validation < 1 and 0 < test < 1 and validation + test < 1):
        raise ValueError(
            f"validation={validation} and test={test}; expected validation from 0, test above 0, "
            "and together below 1."
        )
    held = round(n * validation) or int(validation > 0), round(n * test) or 1
    if n - sum(held) < 1:
        raise ValueError(
            f"{n} rows are too few for validation={validation} and test={test}: nothing is left "
            "to train on."
        )
    return n - sum(held), *held


def _parts(interactions: Interactions, part: np.ndarray, validation: float) -> Split:
    return Split(
        train=interactions.take(part == 0),
        validation=interactions.take(part == 1) if validation > 0 else None,
        test=interactions.take(part == 2),
    )
