"""Weights as a trained model has them: of all sizes, with no layer that does nothing."""

import numpy as np


def with_random_weights(model, seed=0):
    """The model itself; rows of a table differ in size, variances are above 0, biases are not 0."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        values = rng.normal(size=weight.shape)
        if "variance" in weight.path:
            values = 0.5 + np.abs(values)
        elif "gamma" in weight.path:
            values = 1 + 0.2 * values
        elif "embeddings" in weight.path:
            values = 0.1 * values * np.exp(rng.normal(size=(len(values), 1)) / 2)
        elif "kernel" in weight.path:
            values = values * np.sqrt(2 / len(values))
        else:
            values = 0.1 * values
        weight.assign(values.astype(np.float32))
    return model
