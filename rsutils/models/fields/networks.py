"""Networks over rows of categorical fields: one builder for FM and the models that grew from it."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

KINDS = ("lr", "fm", "nfm", "dnn", "deepfm", "dnfm", "dlrm", "dcn")
"""What :func:`build` can build."""
KERAS_RS = ("dlrm", "dcn")
"""Kinds that are made of layers of keras-rs, which exist for Keras 3 only."""
WITHOUT_HIDDEN = ("lr", "fm")
"""Kinds that have no hidden layers."""


@dataclass(frozen=True)
class FieldConfig:
    """What :func:`build` needs to know.

    Attributes:
        kind: one of ``KINDS``.
        n_features: rows of the table that all fields share.
        n_fields: ids in a row.
        dimensions: length of a factor.
        stddev: standard deviation of the first factors' numbers.
        hidden: units of each hidden layer.
        cross_layers: of DCN.
        batch_norm: whether hidden layers, and NFM's pooled factors, are normalised.
        norm_momentum: share that the running mean and variance keep at each step.
        dropout: share of units hidden in training, after pooling and after each hidden layer.
        seed: of the first weights and of dropout.
    """

    kind: str
    n_features: int
    n_fields: int
    dimensions: int = 16
    stddev: float = 0.01
    hidden: Sequence[int] = (128, 64)
    cross_layers: int = 2
    batch_norm: bool = False
    norm_momentum: float = 0.99
    dropout: float = 0.0
    seed: int = 0


def build(K: ModuleType, config: FieldConfig) -> Any:
    """The logit of label 1 for a row of feature ids.

    There is no bias beside the weights of single features: every row has an id of every field, so
    the weights of one field can carry it.

    Args:
        K: ``keras``, or ``tf_keras`` for the twin that tfmot works on.
        config: kind, sizes, dropout and the seed.

    Returns:
        A functional model from (batch, n_fields) int32 ids to (batch, 1) float32 logits; their
        sigmoid is the probability.

    Raises:
        ValueError: the kind is unknown, or has no twin and ``K`` is not Keras 3.
    """
    if config.kind not in KINDS:
        raise ValueError(f"kind is {config.kind!r}; expected one of {', '.join(KINDS)}.")
    if config.kind in KERAS_RS and K.__name__ != "keras":
        raise ValueError(
            f"{config.kind!r} cannot be built with {K.__name__}: its interaction is a layer of "
            "keras-rs, which needs Keras 3. For a twin take 'deepfm' or 'dnn'."
        )
    ids = K.Input((config.n_fields,), dtype="int32", name="features")
    layers = Layers(K, config)
    terms = TERMS[config.kind](layers, ids)
    logit = K.layers.Add(name="logit")(terms) if len(terms) > 1 else terms[0]
    return K.Model(ids, logit, name=config.kind)


def import_layers_of(kind: str) -> None:
    """Make the layers of ``kind`` known to Keras, which then can load a saved model of them."""
    if kind in KERAS_RS:
        importlib.import_module("keras_rs")


class Layers:
    """The parts that the kinds are put together from; each method adds layers to the graph.

    Args:
        K: ``keras`` or ``tf_keras``.
        config: sizes, dropout and the seed.
    """

    def __init__(self, K: ModuleType, config: FieldConfig) -> None:
        self.K = K
        self.config = config

    def table(self, ids: Any, name: str, dimensions: int, stddev: float) -> Any:
        """(batch, n_fields) ids to (batch, n_fields, dimensions)."""
        start = self.K.initializers.RandomNormal(stddev=stddev, seed=self.config.seed)
        return self.K.layers.Embedding(
            self.config.n_features, dimensions, embeddings_initializer=start, name=name
        )(ids)

    def factors(self, ids: Any) -> Any:
        """The factor of every id: (batch, n_fields, dimensions)."""
        return self.table(ids, "factors", self.config.dimensions, self.config.stddev)

    def flat(self, factors: Any) -> Any:
        """A row's factors side by side: (batch, n_fields * dimensions)."""
        return self.K.layers.Flatten(name="flat")(factors)

    def total(self, vectors: Any, name: str) -> Any:
        """The sum over the fields: (batch, dimensions). Keras has a mean, and a scale."""
        mean = self.K.layers.GlobalAveragePooling1D(name=f"{name}_mean")(vectors)
        return self.K.layers.Rescaling(self.config.n_fields, name=name)(mean)

    def first_order(self, ids: Any) -> Any:
        """The sum of a row's weights w: (batch, 1)."""
        return self.total(self.table(ids, "weights", 1, 0.01), "first_order")

    def second_order(self, factors: Any, total: Any, flat: Any) -> Any:
        """The sum over pairs of <v_i, v_j>, as 1/2 (<s, s> - sum of <v_i, v_i>): (batch, 1)."""
        squared = self.K.layers.Dot(1, name="squared_total")([total, total])
        squares = self.K.layers.Dot(1, name="total_of_squares")([flat, flat])
        twice = self.K.layers.Subtract(name="twice_second_order")([squared, squares])
        return self.K.layers.Rescaling(0.5, name="second_order")(twice)

    def pooled(self, factors: Any, total: Any) -> Any:
        """Bi-interaction pooling, the sum over pairs of v_i * v_j: (batch, dimensions)."""
        squared = self.K.layers.Multiply(name="bi_squared_total")([total, total])
        each = self.K.layers.Multiply(name="bi_squares")([factors, factors])
        squares = self.total(each, "bi_total_of_squares")
        twice = self.K.layers.Subtract(name="twice_bi_interaction")([squared, squares])
        z = self.K.layers.Rescaling(0.5, name="bi_interaction")(twice)
        return self.dropped(self.normalised(z, "bi_norm"), 0)

    def normalised(self, z: Any, name: str) -> Any:
        """``z`` in units of its mean and variance, if the config asks for it."""
        if not self.config.batch_norm:
            return z
        momentum = self.config.norm_momentum
        return self.K.layers.BatchNormalization(momentum=momentum, name=name)(z)

    def dropped(self, z: Any, number: int) -> Any:
        """``z`` with dropout, in training."""
        seed = self.config.seed + 100 + number
        return self.K.layers.Dropout(self.config.dropout, seed=seed, name=f"dropout_{number}")(z)

    def hidden(self, z: Any) -> Any:
        """Hidden layers relu(Wz + b): (batch, units of the last one)."""
        for number, units in enumerate(self.config.hidden, 1):
            start = self.K.initializers.HeNormal(seed=self.config.seed + number)
            z = self.K.layers.Dense(units, kernel_initializer=start, name=f"hidden_{number}")(z)
            z = self.normalised(z, f"norm_{number}")
            z = self.K.layers.Activation("relu", name=f"relu_{number}")(z)
            z = self.dropped(z, number)
        return z

    def output(self, z: Any) -> Any:
        """What the hidden layers say: (batch, 1)."""
        start = self.K.initializers.GlorotUniform(seed=self.config.seed + 50)
        return self.K.layers.Dense(1, kernel_initializer=start, name="deep")(z)


def _lr(layers: Layers, ids: Any) -> list[Any]:
    return [layers.first_order(ids)]


def _fm(layers: Layers, ids: Any) -> list[Any]:
    """Rendle 2010, "Factorization machines", section III, eq. 1 and lemma 3.1."""
    factors = layers.factors(ids)
    total = layers.total(factors, "total")
    second = layers.second_order(factors, total, layers.flat(factors))
    return [layers.first_order(ids), second]


def _nfm(layers: Layers, ids: Any) -> list[Any]:
    """He & Chua 2017, "Neural factorization machines", section 3.1."""
    factors = layers.factors(ids)
    pooled = layers.pooled(factors, layers.total(factors, "total"))
    return [layers.first_order(ids), layers.output(layers.hidden(pooled))]


def _dnn(layers: Layers, ids: Any) -> list[Any]:
    return [layers.output(layers.hidden(layers.flat(layers.factors(ids))))]


def _deepfm(layers: Layers, ids: Any) -> list[Any]:
    """Guo et al. 2017, "DeepFM", section 2.1: FM and a DNN read the same factors."""
    factors = layers.factors(ids)
    total, flat = layers.total(factors, "total"), layers.flat(factors)
    deep = layers.output(layers.hidden(flat))
    return [layers.first_order(ids), layers.second_order(factors, total, flat), deep]


def _dnfm(layers: Layers, ids: Any) -> list[Any]:
    """FM's second-order term, and a DNN on bi-interaction pooling of the same factors."""
    factors = layers.factors(ids)
    total, flat = layers.total(factors, "total"), layers.flat(factors)
    deep = layers.output(layers.hidden(layers.pooled(factors, total)))
    return [layers.first_order(ids), layers.second_order(factors, total, flat), deep]


def _dlrm(layers: Layers, ids: Any) -> list[Any]:
    """Naumov et al. 2019, "Deep learning recommendation model", section 2.1.

    There the hidden layers read the inner products of all pairs beside the transformed numerical
    features. Rows of categories have none; the factors themselves stand in their place.
    """
    import keras_rs

    factors = layers.factors(ids)
    each = layers.K.ops.unstack(factors, layers.config.n_fields, axis=1)
    dots = keras_rs.layers.DotInteraction(name="dots")(each)
    joined = layers.K.layers.Concatenate(name="joined")([layers.flat(factors), dots])
    return [layers.output(layers.hidden(joined))]


def _dcn(layers: Layers, ids: Any) -> list[Any]:
    """Wang et al. 2021, "DCN V2", section 3: crosses beside hidden layers, figure 1b."""
    import keras_rs

    flat = crossed = layers.flat(layers.factors(ids))
    for number in range(1, layers.config.cross_layers + 1):
        start = layers.K.initializers.GlorotUniform(seed=layers.config.seed + 70 + number)
        cross = keras_rs.layers.FeatureCross(kernel_initializer=start, name=f"cross_{number}")
        crossed = cross(flat, crossed)
    joined = layers.K.layers.Concatenate(name="joined")([crossed, layers.hidden(flat)])
    return [layers.output(joined)]


TERMS: dict[str, Callable[[Layers, Any], list[Any]]] = {
    "lr": _lr,
    "fm": _fm,
    "nfm": _nfm,
    "dnn": _dnn,
    "deepfm": _deepfm,
    "dnfm": _dnfm,
    "dlrm": _dlrm,
    "dcn": _dcn,
}
