"""Weight clustering: a few shared values, and a short code for each weight.

Han et al. 2016, "Deep compression" (arXiv:1510.00149, section 3): the weights of a layer are sorted
into clusters by k-means in one dimension, and each is stood for by its cluster's centre.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsutils.compress.pruning import chosen_layers, prunable
from rsutils.compress.twin import Build, copy_weights, make_twin

MOST = 1 << 16
"""A code is 16 bits at most."""


@dataclass(frozen=True, eq=False)
class Clustered:
    """Weights as codes into a codebook.

    Attributes:
        codebook: (n,) float32, the centres, ascending, each in use.
        codes: of the shape of the weights, uint8, or uint16 for more than 256 centres.
    """

    codebook: np.ndarray
    codes: np.ndarray

    @property
    def bits(self) -> int:
        """Bits of a code: log2 of the number of centres, rounded up; 0 for a single one."""
        return math.ceil(math.log2(len(self.codebook)))

    @property
    def nbytes(self) -> int:
        """The codebook, and ``bits`` for each weight, packed without gaps."""
        return self.codebook.nbytes + -(-self.bits * self.codes.size // 8)

    @property
    def weights(self) -> np.ndarray:
        """What the codes stand for: float32."""
        return self.codebook[self.codes]


def cluster(
    weights: np.ndarray, n_clusters: int, iterations: int = 100, keep_zeros: bool = False
) -> Clustered:
    """Sort weights into clusters so that the squared error is small.

    The centres begin evenly spaced between the smallest and the largest weight, which among the
    ways to begin keeps the few large weights best (section 3.2 there). Centres that no weight is
    nearest to are left out. Weights with no more different values than ``n_clusters`` are kept
    exactly.

    Args:
        weights: real numbers of any shape.
        n_clusters: centres at most, from 1 to 65,536.
        iterations: steps of k-means at most; it ends where no weight changes its cluster.
        keep_zeros: one centre is 0, for zeros only, so that what was pruned stays pruned.

    Raises:
        ValueError: nothing is given, a number is not finite, or there are too few or too many
            clusters.

    Example:
        >>> found = cluster(np.array([0.0, 0.1, 0.9, 1.0, 5.0]), n_clusters=3)
        >>> found.codes.tolist(), found.codebook.round(2).tolist(), found.nbytes
        ([0, 0, 0, 0, 1], [0.5, 5.0], 9)
    """
    weights = np.asarray(weights, np.float32)
    _check(weights, n_clusters, keep_zeros)
    values = np.sort(weights, axis=None).astype(float)
    centres = np.unique(values)
    if len(centres) > n_clusters:
        free = values[values != 0] if keep_zeros else values
        centres = _k_means(free, n_clusters - (len(free) < len(values)), iterations)
    nearest = _nearest(weights, centres)
    if keep_zeros:
        nearest = np.where(weights == 0, np.float32(0), nearest)
    codebook, codes = np.unique(nearest, return_inverse=True)
    kind = np.uint8 if len(codebook) <= 256 else np.uint16
    return Clustered(codebook, codes.reshape(weights.shape).astype(kind))


def cluster_model(
    model: Any,
    n_clusters: Mapping[str, int] | int,
    iterations: int = 100,
    keep_zeros: bool = False,
) -> dict[str, Clustered]:
    """Cluster kernels and tables; the model then computes with what the codes stand for.

    Args:
        model: a built Keras 3 model; its weights change.
        n_clusters: by layer, or one number for all kernels and tables.
        iterations: steps of k-means at most.
        keep_zeros: whether zeros stay zeros.

    Returns:
        What became of each layer, by its name.

    Raises:
        ValueError: a layer that does not exist or has neither kernel nor table, or a number of
            clusters out of range. The model is unchanged then.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="hidden")])
        >>> found = cluster_model(model, 4)
        >>> found["hidden"].bits, len(np.unique(model.get_layer("hidden").kernel.numpy()))
        (2, 4)
    """
    known = prunable(model)
    found = {
        name: cluster(known[name].numpy(), n, iterations, keep_zeros)
        for name, n in chosen_layers(model, n_clusters).items()
    }
    for name, clustered in found.items():
        known[name].assign(clustered.weights)
    return found


def fine_tune_clustered(
    build: Build,
    config: Any,
    model: Any,
    n_clusters: Mapping[str, int] | int,
    train: Callable[[Any], Any],
) -> None:
    """Train on while the weights of a cluster move together, as one number.

    TensorFlow's model-optimization toolkit clusters a tf_keras twin, ``train`` trains it, and the
    weights come back. A gradient of a centre is the sum of those of its weights (Han et al. 2016,
    section 3.3).

    Args:
        build: takes ``keras`` or ``tf_keras`` and ``config``, and returns a functional model.
        config: what ``model`` was built with.
        model: of Keras 3; its weights change.
        n_clusters: by layer, or one number for all kernels and tables; at least 2 each.
        train: compiles and fits the tf_keras model that it is given.

    Raises:
        NoTwinError: the builder does not build with tf_keras.
        ValueError: a layer has neither kernel nor table, or fewer than 2 clusters.
        FloatingPointError: training diverged; ``model`` is unchanged.
    """
    import tensorflow_model_optimization as tfmot
    import tf_keras

    chosen = chosen_layers(model, n_clusters)
    for name, n in chosen.items():
        if n < 2:
            raise ValueError(f"{name} gets {n} clusters; the toolkit needs at least 2.")
    tools = tfmot.clustering.keras

    def wrapped(layer: Any) -> Any:
        if layer.name not in chosen:
            return layer
        return tools.cluster_weights(layer, chosen[layer.name], tools.CentroidInitialization.LINEAR)

    twin = make_twin(build, config, model)
    clustered = tf_keras.models.clone_model(twin, clone_function=wrapped)
    train(clustered)
    stripped = tools.strip_clustering(clustered)
    if not all(np.isfinite(weights).all() for weights in stripped.get_weights()):
        raise FloatingPointError("Training diverged; lower the learning rate.")
    copy_weights(stripped, model)


def _k_means(values: np.ndarray, n: int, iterations: int) -> np.ndarray:
    """Centres of sorted ``values``; one that no value is nearest to stays where it is.

    In one dimension a cluster is a stretch of the sorted values, between two midpoints of centres.
    """
    centres, before = np.linspace(values[0], values[-1], n), None
    for _ in range(iterations):
        starts = np.searchsorted(values, [-np.inf, *_midpoints(centres)])
        if before is not None and np.array_equal(starts, before):
            break
        before = starts
        count = np.diff([*starts, len(values)])
        used = count > 0
        centres[used] = np.add.reduceat(values, starts[used]) / count[used]
    return centres


def _nearest(weights: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The centre nearest to each weight, float32."""
    centres = np.unique(centres.astype(np.float32))
    return centres[np.searchsorted(_midpoints(centres.astype(float)), weights)]


def _midpoints(centres: np.ndarray) -> np.ndarray:
    return (centres[1:] + centres[:-1]) / 2


def _check(weights: np.ndarray, n_clusters: int, keep_zeros: bool) -> None:
    if not weights.size:
        raise ValueError(
            f"The weights have the shape {weights.shape}; there is nothing to cluster."
        )
    if not np.isfinite(weights).all():
        raise ValueError("There are weights that are not finite; only finite ones have a cluster.")
    least = 2 if keep_zeros else 1
    if not least <= n_clusters <= MOST:
        raise ValueError(f"n_clusters is {n_clusters}; expected {least} to {MOST}.")
