"""A score that only ranks, made a probability: scale and bias of a logit by logistic regression."""

from typing import Any

import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.data.negatives import sample_negatives

PAIRS = 1 << 16
"""Observed pairs, at most, that scale and bias are fitted on."""


def calibrate_logit(
    network: Any, interactions: Interactions, negatives: int = 4, seed: int = 0
) -> None:
    """Scale the last layer, so that its sigmoid is the probability that a pair was observed.

    Observed and not drawn, that is, where ``negatives`` pairs are drawn for each observed one, as
    ``NCF`` learns it. The order of the scores does not change (Platt 1999, "Probabilistic outputs
    for support vector machines", section 2, with two numbers in the place of a network's last
    layer).

    Args:
        network: from ``{"user": (batch,), "item": (batch,)}`` to a layer ``"logit"`` of one unit.
        interactions: the observed pairs.
        negatives: drawn for each.
        seed: of the pairs that are used and drawn.

    Example:
        >>> import keras
        >>> from rsutils.models.ncf import NCFConfig, build
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
        >>> network = build(keras, NCFConfig(n_users=3, n_items=4, hidden=()))
        >>> pairs = {"user": np.repeat(np.arange(3), 4), "item": np.tile(np.arange(4), 3)}
        >>> before = network(pairs).numpy().argsort(axis=0)
        >>> calibrate_logit(network, log)
        >>> (before == network(pairs).numpy().argsort(axis=0)).all()
        np.True_
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(interactions))[:PAIRS]
    user, item = interactions.user[chosen], interactions.item[chosen]
    drawn = sample_negatives(interactions, user, negatives, seed=seed)
    users = np.concatenate([user, np.repeat(user, negatives)])
    items = np.concatenate([item, drawn.ravel()])
    score = network({"user": users, "item": items}).numpy()[:, 0].astype(float)
    label = np.arange(len(score)) < len(user)
    logit = network.get_layer("logit")
    scale, bias = _logistic(score, label)
    kernel, first = logit.get_weights()
    logit.set_weights([kernel * scale, first * scale + bias])


def _logistic(score: np.ndarray, label: np.ndarray, steps: int = 25) -> tuple[float, float]:
    """Scale and bias by Newton's method; scores that do not tell labels apart keep a scale of 1."""
    spread = score.std()
    if not spread > 0:
        return 1.0, 0.0
    x = np.stack([(score - score.mean()) / spread, np.ones_like(score)])
    found = np.zeros(2)
    for _ in range(steps):
        p = 1 / (1 + np.exp(-found @ x))
        # A little of each square, so that labels that can be told apart wholly have an end as well.
        gradient = x @ (p - label) + 1e-2 * found
        hessian = (x * (p * (1 - p))) @ x.T + 1e-2 * np.eye(2)
        found -= np.clip(np.linalg.solve(hessian, gradient), -2, 2)
    scale = found[0] / spread if found[0] > 0 else 1.0
    return scale, found[1] - scale * score.mean()
