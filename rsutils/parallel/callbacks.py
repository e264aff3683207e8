"""Callbacks of training on several workers, under Horovod's names."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rsutils.parallel.collectives import allgather_object, allreduce, broadcast_variables
from rsutils.parallel.local import is_local
from rsutils.parallel.optimizer import Distributed
from rsutils.parallel.world import rank, size

SEED = "seed_generator_state"


class BroadcastGlobalVariablesCallback(keras.callbacks.Callback):
    """Before training, give every worker the weights and the optimizer's state of one of them.

    Also refuses what would end in different weights or in a hang: models that differ, an optimizer
    that is not distributed, steps compiled by XLA. Afterwards each worker drops units of its own.

    Args:
        root_rank: who has the state.

    Raises:
        ValueError: on every worker, when training begins, for one of these reasons.
    """

    def __init__(self, root_rank: int = 0) -> None:
        super().__init__()
        self.root_rank = root_rank

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Check, then broadcast."""
        model, optimizer = self.model, self.model.optimizer
        if size() == 1:
            return
        self._check_compiled()
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        variables = shared_variables(model)
        check_same_variables(variables)
        broadcast_variables(variables, self.root_rank)
        drop_units_of_own(model)

    def _check_compiled(self) -> None:
        optimizer = self.model.optimizer
        inner = getattr(optimizer, "inner_optimizer", None)
        if not isinstance(optimizer, Distributed):
            if isinstance(inner, Distributed):
                raise ValueError(
                    "Keras put loss scaling around the distributed optimizer; put it inside: "
                    "DistributedOptimizer(keras.optimizers.LossScaleOptimizer(optimizer))."
                )
            raise ValueError(
                f"The model is compiled with {type(optimizer).__name__}, which no other worker "
                "hears of; compile it with DistributedOptimizer(optimizer)."
            )
        if self.model.jit_compile:
            raise ValueError(
                "The model is compiled with jit_compile=True, and XLA has no operation for the "
                "exchange of gradients here; call compile(..., jit_compile=False)."
            )


def drop_units_of_own(model: keras.Model) -> None:
    """Let this worker's dropout differ from the others', from seeds that are equal on all."""
    for variable in model.variables:
        if variable.path.endswith(SEED):
            variable.assign(variable + np.array([rank(), 0], variable.dtype))


def shared_variables(model: keras.Model) -> list[Any]:
    """Weights and optimizer state that are the same on every worker.

    The state of an optimizer that belongs to a local variable is local as well.

    Raises:
        ValueError: the model has no weights yet.
    """
    if not model.built or not model.weights:
        raise ValueError(
            f"{model.name} has no weights yet; build it first, with a keras.Input at its front or "
            "model.build(shape)."
        )
    optimizer = getattr(model, "optimizer", None)
    state = optimizer.variables if optimizer is not None and optimizer.built else []
    local = {local_state_prefix(v) for v in model.weights if is_local(v)}
    state = [v for v in state if not any(part in v.path for part in local)]
    return [v for v in model.weights if not is_local(v)] + state


def local_state_prefix(variable: Any) -> str:
    """What Keras puts into the names of an optimizer's state for ``variable``."""
    return variable.path.replace("/", "_") + "_"


def check_same_variables(variables: list[Any]) -> None:
    """Raise ValueError on every worker where their variables differ in number, shape or type."""
    own = [(v.path.rpartition("/")[2], tuple(v.shape), str(v.dtype)) for v in variables]
    everyone = allgather_object(own)
    for other, theirs in enumerate(everyone):
        if theirs == everyone[0]:
            continue
        if len(theirs) != len(everyone[0]):
            difference = f"{len(everyone[0])} variables on rank 0, {len(theirs)} on rank {other}"
        else:
            pairs = zip(everyone[0], theirs, strict=True)
            first, second = next((a, b) for a, b in pairs if a != b)
            difference = f"{first[0]} has shape {first[1]} and type {first[2]} on rank 0, "
            difference += f"{second[1]} and {second[2]} on rank {other}"
        raise ValueError(
            f"The workers' models differ: {difference}. Build the same model on every worker; "
            "sizes that come from data must come from all of it, not from one worker's part."
        )


class MetricAverageCallback(keras.callbacks.Callback):
    """Average the logs of an epoch over the workers. Give it before callbacks that read them."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replace each figure by its average."""
        names = sorted(logs or {})
        if names and size() > 1:
            figures = allreduce(tf.constant([float(logs[n]) for n in names], tf.float64))
            logs.update(zip(names, figures.numpy().tolist(), strict=True))


class LearningRateScheduleCallback(keras.callbacks.Callback):
    """Set the learning rate to ``initial_lr`` times a multiplier.

    Horovod's own also corrects the momentum of SGD; in Keras 3 momentum is a constant.

    Args:
        initial_lr: what is multiplied; with N workers usually N times that of one.
        multiplier: of the epoch, which has a fraction unless ``staircase``; or a number, to the
            power of the epochs since ``start_epoch``.
        start_epoch: the first one.
        end_epoch: the first one that is left alone; None for no end.
        staircase: change once an epoch, not at every step.
        steps_per_epoch: needed where Keras does not know it.

    Raises:
        ValueError: when training begins: the optimizer has a schedule of its own, or the steps of
            an epoch are not known.
    """

    def __init__(
        self,
        initial_lr: float,
        multiplier: float | Callable[[float], float],
        start_epoch: int = 0,
        end_epoch: int | None = None,
        staircase: bool = True,
        steps_per_epoch: int | None = None,
    ) -> None:
        super().__init__()
        self.initial_lr = initial_lr
        self.start_epoch = start_epoch
        self.end_epoch = math.inf if end_epoch is None else end_epoch
        self.staircase = staircase
        self.steps_per_epoch = steps_per_epoch
        self.multiplier = (
            multiplier
            if callable(multiplier)
            else lambda epoch: multiplier ** (epoch - start_epoch)
        )
        self.epoch = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Check that the learning rate can be set."""
        rate = self.model.optimizer._learning_rate
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            raise ValueError(
                f"The optimizer follows a {type(rate).__name__}; compile it with a number, or "
                f"leave {type(self).__name__} out."
            )
        self.steps_per_epoch = self.steps_per_epoch or self.params.get("steps")
        if not self.staircase and not self.steps_per_epoch:
            raise ValueError("steps_per_epoch is not known; pass it to the callback.")

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remember the epoch."""
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Set the learning rate of this step."""
        if not self.start_epoch <= self.epoch < self.end_epoch:
            return
        if self.staircase and batch > 0:
            return
        passed = 0.0 if self.staircase else batch / self.steps_per_epoch
        self.model.optimizer.learning_rate = self.initial_lr * self.multiplier(self.epoch + passed)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Put the learning rate into the logs."""
        if logs is not None:
            logs["lr"] = float(self.model.optimizer.learning_rate)


class LearningRateWarmupCallback(LearningRateScheduleCallback):
    """Raise the learning rate in ``warmup_epochs`` from that of one worker to ``initial_lr``.

    Many workers make a large batch, which bears a larger learning rate, but not from the start
    (Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2).

    Args:
        initial_lr: at the end: usually the number of workers times that of one.
        warmup_epochs: how long it rises.
        steps_per_epoch: needed where Keras does not know it.
    """

    def __init__(
        self, initial_lr: float, warmup_epochs: int = 5, steps_per_epoch: int | None = None
    ) -> None:
        def multiplier(epoch: float) -> float:
            # One step on, so that the last step of the warm-up has the whole learning rate.
            epoch += 1 / self.steps_per_epoch
            return (epoch * (size() - 1) / warmup_epochs + 1) / size()

        super().__init__(
            initial_lr,
            multiplier,
            end_epoch=warmup_epochs,
            staircase=False,
            steps_per_epoch=steps_per_epoch,
        )


def only_on_rank_0(*callbacks: keras.callbacks.Callback) -> list[keras.callbacks.Callback]:
    """``callbacks`` on rank 0, none elsewhere: for checkpoints, logs and progress bars.

    Example:
        >>> len(only_on_rank_0(keras.callbacks.TerminateOnNaN()))
        1
    """
    return list(callbacks) if rank() == 0 else []
