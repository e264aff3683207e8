"""From tables spread over workers to whole ones and back, with the optimizer's state."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from rsutils.parallel.callbacks import local_state_prefix
from rsutils.parallel.collectives import grouped_allgather
from rsutils.parallel.placement import Placement
from rsutils.parallel.sharded_embedding import ShardedEmbedding
from rsutils.parallel.world import rank


def whole_state(model: keras.Model, optimizer: bool = True) -> list[np.ndarray]:
    """The arrays that the same model has on one worker. Every worker has to call this.

    Args:
        model: built; its sharded tables are put together on every worker.
        optimizer: the state of its optimizer as well.

    Returns:
        ``model.get_weights()`` of the unsharded model, then its optimizer's variables, in order.
    """
    return [
        np.asarray(variable) if placement is None else _whole(variable, placement)
        for variable, placement in _variables(model, optimizer)
    ]


def set_whole_state(
    model: keras.Model, state: Sequence[np.ndarray], optimizer: bool = True
) -> None:
    """Take over what :func:`whole_state` gave, on any number of workers.

    Raises:
        ValueError: the number or the shapes of the arrays do not fit; nothing is changed then.
    """
    pairs = list(_variables(model, optimizer))
    if len(pairs) != len(state):
        raise ValueError(
            f"{len(state)} arrays for {len(pairs)} variables of {model.name}; take them from the "
            f"same model, with optimizer={optimizer}."
        )
    new = []
    for (variable, placement), array in zip(pairs, state, strict=True):
        whole = tuple(variable.shape)
        if placement is not None:
            whole = (placement.n_rows, *whole[1:])
        if tuple(array.shape) != whole:
            raise ValueError(
                f"{variable.path} is {whole} as a whole; the array for it is {tuple(array.shape)}."
            )
        new.append(array if placement is None else array[placement.rows_of(rank())])
    for (variable, _), array in zip(pairs, new, strict=True):
        variable.assign(array)


def _variables(model: keras.Model, optimizer: bool) -> Iterator[tuple[Any, Placement | None]]:
    """Each variable with the placement of its rows, or None where every worker has all of it."""
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, ShardedEmbedding) and layer.placement.size > 1
    ]
    spread = {layer.embeddings.path: layer.placement for layer in layers}
    for variable in model.weights:
        yield variable, spread.get(variable.path)
    if optimizer and getattr(model, "optimizer", None) is not None:
        prefixes = {local_state_prefix(layer.embeddings): layer.placement for layer in layers}
        for variable in model.optimizer.variables:
            found = [p for prefix, p in prefixes.items() if prefix in variable.path]
            yield variable, found[0] if found else None


def _whole(variable: Any, placement: Placement) -> np.ndarray:
    [gathered] = grouped_allgather([variable], name=f"whole_{variable.path.replace('/', '_')}")
    rows = np.concatenate([placement.rows_of(worker) for worker in range(placement.size)])
    whole = np.empty((placement.n_rows, *variable.shape[1:]), gathered.numpy().dtype)
    whole[rows] = gathered.numpy()
    return whole
