"""Bandits: which arm to show, so that the clicks both pay and teach.

Every policy here takes visitors in batches: ``choose`` answers for a whole batch at once, from what
was known before it, and ``update`` takes the clicks when they arrive. So a delay of feedback is the
size of a batch.

- ``EpsilonGreedy``: the arm with the best mean so far; with probability epsilon any arm.
- ``BetaThompson``: the chance of a click of each arm is drawn from its posterior,
  Beta(1 + clicks, 1 + misses), and the best draw is shown (Russo et al. 2018, section 3).
- ``LinUCB``: a ridge regression for each arm on what is known of the visitor; the arm with the
  highest upper confidence bound is shown (Li et al. 2010, section 3.1, algorithm 1)::

      A = l2 I + sum x xᵀ        b = sum r x        x · A⁻¹b + alpha sqrt(xᵀ A⁻¹ x)

- ``LinearThompson``: the same regressions, but weights are drawn from N(A⁻¹b, scale² A⁻¹)
  (Agrawal and Goyal 2013, section 2, there with one regression for all arms).
"""

from typing import Protocol

import numpy as np


class Policy(Protocol):
    """What all bandits have in common."""

    def choose(self, contexts: np.ndarray) -> np.ndarray:
        """An arm for each row of ``contexts`` (n, d): (n,) whole numbers."""

    def update(self, contexts: np.ndarray, arms: np.ndarray, rewards: np.ndarray) -> None:
        """Learn what became of ``arms`` (n,) shown to ``contexts``: ``rewards`` (n,) in 0..1."""


class _Counts:
    """Clicks and showings of each arm; a context only says how many visitors there are."""

    def __init__(self, n_arms: int, seed: int) -> None:
        self.n_arms = _arms(n_arms)
        self.rng = np.random.default_rng(seed)
        self.shown_, self.clicks_ = np.zeros(n_arms), np.zeros(n_arms)

    def update(self, contexts: np.ndarray, arms: np.ndarray, rewards: np.ndarray) -> None:
        """Add a batch: ``arms`` (n,) that were shown, ``rewards`` (n,) in 0..1.

        Raises:
            ValueError: shapes differ, an arm is unknown, or a reward is not in 0..1.
        """
        arms, rewards = _feedback(arms, rewards, self.n_arms, len(contexts))
        self.shown_ += np.bincount(arms, minlength=self.n_arms)
        self.clicks_ += np.bincount(arms, rewards, minlength=self.n_arms)


class EpsilonGreedy(_Counts):
    """The best mean so far, or with probability ``epsilon`` any arm; with 0 it is greedy.

    Arms that were never shown come first. Ties are broken at random.

    Attributes:
        shown_, clicks_: (n_arms,) so far.

    Example:
        >>> policy = EpsilonGreedy(2, epsilon=0.0)
        >>> policy.update(np.ones((3, 1)), np.array([0, 1, 1]), np.array([0, 1, 1]))
        >>> policy.choose(np.ones((2, 1))).tolist()
        [1, 1]
    """

    def __init__(self, n_arms: int, epsilon: float = 0.1, seed: int = 0) -> None:
        super().__init__(n_arms, seed)
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon is {epsilon}; expected a share between 0 and 1.")
        self.epsilon = epsilon

    def choose(self, contexts: np.ndarray) -> np.ndarray:
        """An arm for each row of ``contexts``: (n,)."""
        mean = np.where(self.shown_ > 0, self.clicks_ / np.maximum(self.shown_, 1), np.inf)
        ties = self.rng.random((len(contexts), self.n_arms)) * (mean == mean.max())
        explore = self.rng.random(len(contexts)) < self.epsilon
        anything = self.rng.integers(self.n_arms, size=len(contexts))
        return np.where(explore, anything, ties.argmax(axis=1))


class BetaThompson(_Counts):
    """Shows the arm whose chance of a click, drawn from what is believed of it, is best.

    Attributes:
        shown_, clicks_: (n_arms,) so far.

    Example:
        >>> policy = BetaThompson(2)
        >>> policy.update(np.ones((90, 1)), np.repeat([0, 1], 45), np.repeat([0, 1], 45))
        >>> policy.choose(np.ones((3, 1))).tolist()
        [1, 1, 1]
    """

    def __init__(self, n_arms: int, seed: int = 0) -> None:
        super().__init__(n_arms, seed)

    def choose(self, contexts: np.ndarray) -> np.ndarray:
        """An arm for each row of ``contexts``: (n,); every visitor has a draw of their own."""
        misses = self.shown_ - self.clicks_
        return self.rng.beta(
            1 + self.clicks_, 1 + misses, size=(len(contexts), self.n_arms)
        ).argmax(axis=1)


class _Regressions:
    """A ridge regression for each arm, kept as A⁻¹ and b."""

    def __init__(self, n_arms: int, n_features: int, l2: float, seed: int) -> None:
        self.n_arms = _arms(n_arms)
        if n_features < 1 or not l2 > 0:
            raise ValueError(
                f"n_features is {n_features} and l2 {l2}; expected at least 1, and more than 0."
            )
        self.n_features = n_features
        self.rng = np.random.default_rng(seed)
        self.precision_ = np.tile(l2 * np.eye(n_features), (n_arms, 1, 1))
        self.response_ = np.zeros((n_arms, n_features))
        self._inverse = np.linalg.inv(self.precision_)

    @property
    def weights_(self) -> np.ndarray:
        """(n_arms, n_features) of the regressions so far."""
        return np.einsum("kde,ke->kd", self._inverse, self.response_)

    def update(self, contexts: np.ndarray, arms: np.ndarray, rewards: np.ndarray) -> None:
        """Add a batch: (n, d) ``contexts``, ``arms`` (n,) that were shown, ``rewards`` (n,).

        Raises:
            ValueError: shapes differ, an arm is unknown, or a reward is not in 0..1.
        """
        contexts = self._contexts(contexts)
        arms, rewards = _feedback(arms, rewards, self.n_arms, len(contexts))
        for arm in np.unique(arms):
            rows = contexts[arms == arm]
            self.precision_[arm] += rows.T @ rows
            self.response_[arm] += rewards[arms == arm] @ rows
            self._inverse[arm] = np.linalg.inv(self.precision_[arm])

    def _contexts(self, contexts: np.ndarray) -> np.ndarray:
        contexts = np.asarray(contexts, np.float64)
        if contexts.ndim != 2 or contexts.shape[1] != self.n_features:
            raise ValueError(
                f"contexts have the shape {contexts.shape}; expected (n, {self.n_features})."
            )
        return contexts


class LinUCB(_Regressions):
    """Shows the arm that could be best: its estimate plus ``alpha`` times how unsure that is.

    Attributes:
        weights_: (n_arms, n_features) so far.
        precision_: (n_arms, n_features, n_features), A of each arm.

    Example:
        >>> policy = LinUCB(2, n_features=1, alpha=1.0)
        >>> policy.update(np.ones((3, 1)), np.array([0, 0, 0]), np.array([1, 0, 0]))
        >>> policy.bounds(np.ones((1, 1))).tolist()  # 1/4 + sqrt(1/4), and 0 + 1
        [[0.75, 1.0]]
    """

    def __init__(
        self, n_arms: int, n_features: int, alpha: float = 1.0, l2: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__(n_arms, n_features, l2, seed)
        if alpha < 0:
            raise ValueError(f"alpha is {alpha}; expected at least 0.")
        self.alpha = alpha

    def bounds(self, contexts: np.ndarray) -> np.ndarray:
        """The upper confidence bound of each arm for each context: (n, n_arms)."""
        contexts = self._contexts(contexts)
        spread = np.einsum("nke,ne->nk", np.tensordot(contexts, self._inverse, (1, 1)), contexts)
        return contexts @ self.weights_.T + self.alpha * np.sqrt(spread)

    def choose(self, contexts: np.ndarray) -> np.ndarray:
        """An arm for each row of ``contexts`` (n, d): (n,); ties are broken at random."""
        bounds = self.bounds(contexts)
        ties = self.rng.random(bounds.shape) * (bounds == bounds.max(axis=1, keepdims=True))
        return ties.argmax(axis=1)


class LinearThompson(_Regressions):
    """Shows the arm whose regression, drawn from what is believed of it, is best.

    One draw of all regressions serves a batch.

    Attributes:
        weights_: (n_arms, n_features), the middle of what is believed.

    Example:
        >>> LinearThompson(3, n_features=2).choose(np.ones((4, 2))).shape
        (4,)
    """

    def __init__(
        self, n_arms: int, n_features: int, scale: float = 0.3, l2: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__(n_arms, n_features, l2, seed)
        if scale < 0:
            raise ValueError(f"scale is {scale}; expected at least 0.")
        self.scale = scale

    def choose(self, contexts: np.ndarray) -> np.ndarray:
        """An arm for each row of ``contexts`` (n, d): (n,)."""
        contexts = self._contexts(contexts)
        root = np.linalg.cholesky(self._inverse)
        noise = self.rng.standard_normal((self.n_arms, self.n_features))
        drawn = self.weights_ + self.scale * np.einsum("kde,ke->kd", root, noise)
        return (contexts @ drawn.T).argmax(axis=1)


def _arms(n_arms: int) -> int:
    if n_arms < 1:
        raise ValueError(f"n_arms is {n_arms}; expected at least 1.")
    return n_arms


def _feedback(
    arms: np.ndarray, rewards: np.ndarray, n_arms: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    arms, rewards = np.asarray(arms), np.asarray(rewards, np.float64)
    if not arms.shape == rewards.shape == (n,):
        raise ValueError(
            f"arms and rewards have shapes {arms.shape} and {rewards.shape}; expected one of each "
            f"for the {n} contexts."
        )
    if n and not 0 <= arms.min() <= arms.max() < n_arms:
        raise ValueError(f"An arm is {arms.max()} or {arms.min()}; expected 0 to {n_arms - 1}.")
    if n and not (rewards.min() >= 0 and rewards.max() <= 1):
        raise ValueError("A reward is not in 0..1; expected 1 for a click and 0 for none.")
    return arms, rewards
