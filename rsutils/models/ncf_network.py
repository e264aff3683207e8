"""The network of neural collaborative filtering, for Keras 3 and for tf_keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class NCFConfig:
    """What :func:`build` needs to know.

    Attributes:
        n_users: rows of the user tables.
        n_items: rows of the item tables.
        gmf_dimensions: length of the factors that are multiplied; 0 leaves this branch out.
        mlp_dimensions: length of the factors that enter the hidden layers.
        hidden: units of each hidden layer; none leaves this branch out.
        dropout: share of units hidden before each hidden layer in training.
        seed: of the first weights and of dropout.
    """

    n_users: int
    n_items: int
    gmf_dimensions: int = 64
    mlp_dimensions: int = 32
    hidden: Sequence[int] = (64, 32, 16)
    dropout: float = 0.0
    seed: int = 0


def build(K: ModuleType, config: NCFConfig) -> Any:
    """The logit of "this user takes this item" (He et al. 2017, section 3.4, figure 3).

    GMF multiplies two factors, the MLP joins two others and sends them through hidden layers
    z = relu(Wx + b), and one output layer reads both.

    Args:
        K: ``keras``, or ``tf_keras`` for the twin that tfmot works on.
        config: sizes, dropout and the seed.

    Returns:
        A functional model from ``{"user": (batch,), "item": (batch,)}`` int32 to (batch, 1) float32
        logits; their sigmoid is the probability.
    """
    inputs = {name: K.Input((), dtype="int32", name=name) for name in ("user", "item")}
    rows = {"user": config.n_users, "item": config.n_items}

    def factor(name: str, branch: str, dimensions: int, offset: int) -> Any:
        return K.layers.Embedding(
            rows[name],
            dimensions,
            embeddings_initializer=K.initializers.RandomNormal(
                stddev=0.1 / np.sqrt(dimensions), seed=config.seed + offset
            ),
            name=f"{branch}_{name}",
        )(inputs[name])

    branches = []
    if config.gmf_dimensions:
        pair = [factor(n, "gmf", config.gmf_dimensions, i) for i, n in enumerate(inputs)]
        branches.append(K.layers.Multiply(name="gmf")(pair))
    if config.hidden:
        pair = [factor(n, "mlp", config.mlp_dimensions, 2 + i) for i, n in enumerate(inputs)]
        z = K.layers.Concatenate(name="mlp")(pair)
        for number, units in enumerate(config.hidden, 1):
            z = K.layers.Dropout(config.dropout, seed=config.seed, name=f"dropout_{number}")(z)
            start = K.initializers.HeNormal(seed=config.seed + 3 + number)
            z = K.layers.Dense(
                units, activation="relu", kernel_initializer=start, name=f"hidden_{number}"
            )(z)
        branches.append(z)
    joined = K.layers.Concatenate(name="joined")(branches) if len(branches) > 1 else branches[0]
    logit = K.layers.Dense(1, kernel_initializer="ones", name="logit")(joined)
    return K.Model(inputs, logit, name="ncf")
