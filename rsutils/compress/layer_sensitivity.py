"""Which layer can be pruned most: one at a time, without training, and what it costs."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from tqdm import tqdm

from rsutils.compress.masks import Pattern, check_sparsity, magnitude_mask
from rsutils.compress.pruning import chosen_layers, prunable, prune


def sensitivity(
    model: Any,
    score: Callable[[], float],
    sparsities: Sequence[float] = (0.5, 0.8, 0.9),
    layers: Sequence[str] | None = None,
    pattern: Pattern = magnitude_mask,
    progress: bool = True,
) -> pd.DataFrame:
    """Prune each layer alone, score, and put its weights back (Han et al. 2015, section 4, fig. 6).

    Args:
        model: a built Keras 3 model; it ends as it began.
        score: takes nothing, scores ``model`` as it is; measured on validation data.
        sparsities: to try, each from 0 to below 1.
        layers: names; all that have a kernel or table if None.
        pattern: takes weights and sparsity, gives a mask.
        progress: show a progress bar.

    Returns:
        A row a layer and sparsity: ``layer``, ``weights`` (their number), ``sparsity``, ``score``
        and ``change`` against the model as it is.

    Raises:
        ValueError: a layer that does not exist, or a sparsity outside of [0, 1).

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="line")])
        >>> model.set_weights([np.array([[3.0], [1.0]]), np.zeros(1)])
        >>> weight_left = lambda: float(model.get_weights()[0].sum())
        >>> found = sensitivity(model, weight_left, [0.5], progress=False)
        >>> found.score.tolist(), found.change.tolist(), weight_left()
        ([3.0], [-1.0], 4.0)
    """
    for sparsity in sparsities:
        check_sparsity(sparsity)
    known = prunable(model)
    names = list(known) if layers is None else list(chosen_layers(model, dict.fromkeys(layers)))
    whole = float(score())
    rows = []
    cases = [(name, sparsity) for name in names for sparsity in sparsities]
    for name, sparsity in tqdm(cases, desc="layers pruned alone", disable=not progress):
        before = known[name].numpy()
        try:
            prune(model, {name: sparsity}, pattern)
            value = float(score())
        finally:
            known[name].assign(before)
        rows.append((name, before.size, sparsity, value, value - whole))
    return pd.DataFrame(rows, columns=["layer", "weights", "sparsity", "score", "change"])
