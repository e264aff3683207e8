"""Checks of lesson 03: the gradient at the logit, early stopping, NeuMF."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close


@check
def logit_gradient(attempt: Callable) -> str | None:
    """A label of each kind at probabilities 1/2, 3/4 and 1/4."""
    logit = np.array([0.0, np.log(3.0), -np.log(3.0)])
    label = np.array([1.0, 0.0, 1.0])
    found = answer(attempt, logit, label)
    expected = np.array([-0.5, 0.75, -0.75])
    if np.shape(found) != (3,):
        return f"Expected a number a logit, shape (3,); got {np.shape(found)}."
    if close(found, -expected):
        return "The sign is turned round: the loss falls *against* the gradient. Predicted - label."
    if close(found, logit - label):
        return "That takes the logit for a probability. Send it through the sigmoid first."
    if close(found, [-2.0, 4.0, -4.0]):
        return "That is dL/dp. One more factor of the chain: dp/dz = p (1 - p)."
    if not close(found, expected):
        return "At logit log 3 the sigmoid is 3/4; with label 0 the gradient there is 3/4."
    return None


@check
def best_epoch(attempt: Callable) -> str | None:
    """A score that falters once, then rises, then falls until patience runs out."""
    scores = [0.1, 0.3, 0.2, 0.4, 0.4, 0.3, 0.9]
    found = answer(attempt, scores, 2)
    if np.shape(found) != (2,):
        return "Expected two epochs: the last one that is run, and the one whose weights are kept."
    last, kept = (int(epoch) for epoch in found)
    if (last, kept) == (7, 7):
        return "Epoch 7 is never run: epochs 5 and 6 bring nothing new, and patience is 2."
    if (last, kept) in ((5, 3), (3, 1)):
        return "Count epochs from 1, as the table of a fit does."
    if kept == last:
        return "The last epoch is not the best one. restore_best_weights goes back to the best."
    if (last, kept) == (4, 2):
        return "One epoch without a rise does not end a run whose patience is 2."
    if kept == 5:
        return "Epoch 5 only equals epoch 4. The first of equals is kept."
    if (last, kept) != (6, 4):
        return f"For {scores} and patience 2: stop after epoch 6, keep epoch 4. Got {last}, {kept}."
    if tuple(int(epoch) for epoch in answer(attempt, [0.1, 0.2], 2)) != (2, 2):
        return "A run whose score rises to the end runs all its epochs and keeps the last."
    return None


@check
def neumf_logit(attempt: Callable) -> str | None:
    """One pair, two factors a branch, one hidden layer of two units."""
    gmf_user, gmf_item = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    mlp_user, mlp_item = np.array([1.0]), np.array([2.0])
    W, b = np.array([[1.0, -1.0], [1.0, -1.0]]), np.array([0.5, 0.0])
    h = np.array([1.0, 2.0, 10.0, 100.0])
    arguments = (gmf_user, gmf_item, mlp_user, mlp_item, W, b, h)
    found = answer(attempt, *arguments)
    if np.shape(found) not in ((), (1,)):
        return f"Expected one number; got shape {np.shape(found)}."
    found = float(np.squeeze(found))
    product, hidden = gmf_user * gmf_item, np.array([3.5, 0.0])
    if close(found, h @ np.concatenate([product, [3.5, -3.0]])):
        return "The hidden layer lacks its relu: units below zero give zero."
    if close(found, h @ np.concatenate([product, [3.0, 0.0]])):
        return "The hidden layer lacks its bias b."
    if close(found, h @ np.concatenate([hidden, product])):
        return "The order of the two branches is swapped: h reads the product first."
    if close(found, h @ np.concatenate([gmf_user + gmf_item, hidden])):
        return "GMF multiplies the two factors, number by number; it does not add them."
    if close(found, 1 / (1 + np.exp(-34.0))):
        return "That is the probability. Return the logit, before the sigmoid."
    if not close(found, 34.0):
        return (
            "By hand: the product is (3, -2), the hidden layer (3.5, 0), and "
            f"3 - 2·2 + 3.5·10 = 34. Got {found:g}."
        )
    return None
