"""The two protocols: rank every item for every test user, or one positive among given negatives."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from scipy import sparse
from tqdm import tqdm

from rsutils.data.interactions import Interactions
from rsutils.evaluate.metrics import evaluate_ranks
from rsutils.evaluate.report import Report
from rsutils.evaluate.ties import Ranks

DEFAULT_METRICS = ("hr", "ndcg", "recall", "mrr")


class Scorer(Protocol):
    """Anything that scores every item for given users."""

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(len(users), n_items) numbers, larger is better."""


def full_ranking(
    model: Scorer,
    test: Interactions,
    exclude: Interactions | Sequence[Interactions] | None = None,
    k: int | Sequence[int] | None = 10,
    metrics: Sequence[str] = DEFAULT_METRICS,
    users: np.ndarray | None = None,
    batch_size: int = 1024,
    progress: bool = False,
) -> Report:
    """Rank all items for every user who has test items.

    Items that a user has in ``exclude`` are no candidates. A test item among them could never be
    found, so it is dropped and counted in ``Report.dropped``; to evaluate repeat consumption, pass
    no ``exclude``. All test items of a user are relevant at once, whatever their rating, and a pair
    that occurs twice counts once. Tied scores count by expectation (``rsutils.evaluate.ties``).

    Args:
        model: scores items; its ``scores`` is called once a batch.
        test: what should be found.
        exclude: what users already have: training data, and validation data at test time.
        k: list length or lengths; None reads lists to their end.
        metrics: some of ``hr``, ``ndcg``, ``recall``, ``mrr``, ``auc``.
        users: evaluate only those of these users who have test items; None for all.
        batch_size: users scored at a time; memory is about 3 * batch_size * n_items numbers.
        progress: show a progress bar.

    Raises:
        ValueError: a score is NaN or of the wrong shape, no user is left, sizes differ, or a
            metric or ``k`` is not known.

    Example:
        >>> class Ascending:
        ...     def scores(self, users):
        ...         return np.tile(np.arange(4.0), (len(users), 1))
        >>> seen, test = Interactions.of([0], [3], n_items=4), Interactions.of([0], [1], n_items=4)
        >>> full_ranking(Ascending(), test, exclude=seen, k=2).mean()
        {'hr@2': 1.0, 'ndcg@2': 0.6309297535714575, 'recall@2': 1.0, 'mrr@2': 0.5}
    """
    seen = _matrix(exclude, test)
    relevant = test.to_csr()
    found_again = relevant.multiply(seen).tocsr()
    relevant = relevant - found_again
    relevant.eliminate_zeros()
    with_items = np.flatnonzero(np.diff(relevant.indptr))
    users = with_items if users is None else np.intersect1d(with_items, users)
    if not len(users):
        raise ValueError(
            "No user to evaluate: none has a test item outside `exclude`. Check that `test` and "
            "`exclude` are different parts of the data."
        )
    parts = []
    for batch in _batches(users, batch_size, progress):
        scores = _scores(model, batch, test.n_items)
        hidden = seen[batch].tocoo()
        scores[hidden.row, hidden.col] = np.nan
        wanted = relevant[batch].tocoo()
        parts.append(evaluate_ranks(Ranks.of(scores, wanted.row, wanted.col), metrics, k))
    return Report(
        model=type(model).__name__,
        protocol=f"full ranking of {test.n_items:,} items",
        users=users,
        values={name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        dropped=int(found_again.nnz),
    )


def sampled(
    model: Scorer,
    test: Interactions,
    negatives: np.ndarray,
    k: int | Sequence[int] | None = 10,
    metrics: Sequence[str] = DEFAULT_METRICS,
    batch_size: int = 1024,
    progress: bool = False,
) -> Report:
    """Rank the item of each test row among the negatives given for that row.

    Published tables use this protocol, so it is here to check against them. It can order models
    differently from a ranking of all items: see ``rsutils.evaluate.sampling``. A user with several
    rows counts once, with the mean over them. Where the positive is also among its own negatives,
    as in 156 rows of the published NCF split of MovieLens-1M, that copy is no candidate.

    Args:
        model: scores items; its ``scores`` is called once a batch.
        test: one positive a row.
        negatives: (len(test), m) items, as in ``Split.negatives``.
        k: list length or lengths; None reads lists to their end.
        metrics: some of ``hr``, ``ndcg``, ``recall``, ``mrr``, ``auc``.
        batch_size: rows scored at a time.
        progress: show a progress bar.

    Raises:
        ValueError: a score is NaN or of the wrong shape, the negatives do not fit the test rows,
            or a metric or ``k`` is not known.

    Example:
        >>> class Ascending:
        ...     def scores(self, users):
        ...         return np.tile(np.arange(4.0), (len(users), 1))
        >>> test = Interactions.of(user=[0], item=[2], n_items=4)
        >>> sampled(Ascending(), test, negatives=[[0, 1]], k=1, metrics=["hr", "auc"]).mean()
        {'hr@1': 1.0, 'auc': 1.0}
    """
    negatives = _check_negatives(np.asarray(negatives), test)
    candidates = np.column_stack([test.item, negatives])
    parts = []
    for rows in _batches(np.arange(len(test)), batch_size, progress):
        users, where = np.unique(test.user[rows], return_inverse=True)
        scores = _scores(model, users, test.n_items)[where[:, None], candidates[rows]]
        scores[:, 1:][negatives[rows] == test.item[rows, None]] = np.nan
        first = np.zeros(len(rows), np.int64)
        parts.append(evaluate_ranks(Ranks.of(scores, np.arange(len(rows)), first), metrics, k))
    users, where, times = np.unique(test.user, return_inverse=True, return_counts=True)
    return Report(
        model=type(model).__name__,
        protocol=f"1 positive among {negatives.shape[1]} sampled negatives",
        users=users,
        values={
            name: np.bincount(where, np.concatenate([part[name] for part in parts])) / times
            for name in parts[0]
        },
    )


def _matrix(
    exclude: Interactions | Sequence[Interactions] | None, test: Interactions
) -> sparse.csr_matrix:
    """(n_users, n_items) ones where a user has an item in any part of ``exclude``."""
    shape = (test.n_users, test.n_items)
    total = sparse.csr_matrix(shape, dtype=np.float32)
    for part in [] if exclude is None else [exclude] if hasattr(exclude, "to_csr") else exclude:
        if (part.n_users, part.n_items) != shape:
            raise ValueError(
                f"`exclude` has {part.n_users} users and {part.n_items} items, `test` has "
                f"{shape[0]} and {shape[1]}; expected parts of one data set, with its sizes."
            )
        total = total.maximum(part.to_csr())
    return total.tocsr()


def _scores(model: Scorer, users: np.ndarray, n_items: int) -> np.ndarray:
    """A writable copy of the model's scores, refused where they are not numbers."""
    name = type(model).__name__
    scores = np.array(model.scores(users))
    if scores.shape != (len(users), n_items):
        raise ValueError(
            f"{name}.scores gave shape {scores.shape}; expected {(len(users), n_items)}, a row a "
            "user and a column an item."
        )
    if scores.dtype not in (np.float16, np.float32, np.float64):
        scores = scores.astype(np.float64)
    if (bad := np.isnan(scores)).any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"{name} scored item {column} for user {users[row]} as NaN; expected a number. "
            "A model that diverged in training does this: lower its learning rate."
        )
    return scores


def _check_negatives(negatives: np.ndarray, test: Interactions) -> np.ndarray:
    if negatives.ndim != 2 or len(negatives) != len(test) or not negatives.size:
        raise ValueError(
            f"negatives has shape {negatives.shape}; expected ({len(test)}, m), a row of m "
            "sampled items for each test row."
        )
    if negatives.min() < 0 or negatives.max() >= test.n_items:
        raise ValueError(
            f"negatives run from {negatives.min()} to {negatives.max()}; expected items 0 to "
            f"{test.n_items - 1}."
        )
    return negatives


def _batches(rows: np.ndarray, size: int, progress: bool) -> Iterable[np.ndarray]:
    if size < 1:
        raise ValueError(f"batch_size is {size}; expected at least 1.")
    with tqdm(total=len(rows), desc="evaluate", unit=" users", disable=not progress) as bar:
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            yield batch
            bar.update(len(batch))
