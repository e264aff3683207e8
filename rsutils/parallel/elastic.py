"""Training that goes on when a worker dies or another one joins.

All workers keep the state of the last commit in memory. When one is lost, the others go back to it,
count themselves anew, and share what is left of the epoch. Horovod's launcher has to run with a
script that lists the hosts: :func:`rsutils.parallel.run_elastic`.
"""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rsutils.parallel import world
from rsutils.parallel.callbacks import drop_units_of_own, shared_variables
from rsutils.parallel.checkpoints import Checkpoints
from rsutils.parallel.collectives import broadcast_object, broadcast_variables
from rsutils.parallel.local import is_local
from rsutils.parallel.worker_batches import WorkerBatches


class Progress:
    """Where training stands, committed together with the weights.

    Attributes:
        epoch: that is running, from 0.
        seen: rows of its order that all workers together have learnt from.
        commits: so far.
        redone: rows that were learnt from after a commit and again after a worker was lost.
        missed: rows at an epoch's end that were too few to give each worker one.
        resets: how often the workers counted themselves anew.
    """

    def __init__(self) -> None:
        self.epoch = self.seen = self.commits = self.redone = self.missed = self.resets = 0


def fit(
    model: keras.Model,
    arrays: Any,
    batch_size: int,
    epochs: int,
    seed: int,
    commit_every: int = 20,
    checkpoints: Checkpoints | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Progress:
    """Train ``model`` on however many workers there are from moment to moment.

    A commit copies weights and optimizer state in memory, on every worker; rank 0 also writes a
    checkpoint where ``checkpoints`` is given, from which a job that ended as a whole goes on. Each
    row is learnt from once an epoch in what is committed.

    Args:
        model: built and compiled with ``DistributedOptimizer``.
        arrays: as for :class:`WorkerBatches`.
        batch_size: rows of a worker's batch, at most.
        epochs: passes.
        seed: of the order.
        commit_every: steps between two commits; what a lost worker costs at most.
        checkpoints: where rank 0 writes commits, or None.
        callbacks: of Keras; each part of an epoch is a ``fit`` of its own.

    Returns:
        Where training ended, with what was redone and missed.

    Raises:
        ValueError: the model holds part of a sharded table, which would be lost with its worker.
    """
    own = [v.path for v in model.weights if is_local(v)]
    if own:
        raise ValueError(
            f"{own[0]} is on this worker alone and would be lost with it; "
            "use whole tables for elastic training."
        )
    run = ElasticRun(model, Progress(), commit_every, checkpoints)
    run.load()

    def train() -> Progress:
        # The number of workers is part of the compiled step.
        model.make_train_function(force=True)
        batches = WorkerBatches(arrays, batch_size, seed)
        while run.progress.epoch < epochs:
            batches.start_epoch(run.progress.epoch)
            left = batches.skip(run.progress.seen)
            if left >= world.size():
                own_callback = CommitCallback(run, batches)
                model.fit(
                    batches.dataset(),
                    verbose=0,
                    shuffle=False,
                    callbacks=[*callbacks, own_callback],
                )
            else:
                run.progress.missed += left
            run.progress.epoch, run.progress.seen = run.progress.epoch + 1, 0
            run.commit()
        return run.progress

    return run.protect(train)()


class ElasticRun:
    """A model with its progress, kept in memory at each commit."""

    def __init__(
        self,
        model: keras.Model,
        progress: Progress,
        commit_every: int,
        checkpoints: Checkpoints | None,
    ) -> None:
        self.model = model
        self.progress = progress
        self.commit_every = commit_every
        self.checkpoints = checkpoints
        self.state: Any = None
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)

    def load(self) -> None:
        """Go on from the newest whole checkpoint, if there is one; rank 0's counts in the end."""
        found = self.checkpoints.latest() if self.checkpoints else None
        if found is None:
            return
        counts = json.loads(str(found.arrays["progress"]))
        vars(self.progress).update(counts)
        for place, variable in enumerate(shared_variables(self.model)):
            variable.assign(found.arrays[f"variable_{place}"])

    def commit(self) -> None:
        """Keep weights and progress; raises Horovod's interrupt where hosts have changed."""
        self.progress.commits += 1
        if self.checkpoints and world.rank() == 0:
            variables = shared_variables(self.model)
            arrays = {f"variable_{place}": np.asarray(v) for place, v in enumerate(variables)}
            counts = json.dumps(vars(self.progress))
            self.checkpoints.save(self.progress.commits, {"progress": np.array(counts), **arrays})
        if self.state is not None:
            self.state.commit()

    def protect(self, train: Callable[[], Progress]) -> Callable[[], Progress]:
        """``train``, run again from the last commit whenever workers are lost or added."""
        engine = world.horovod()
        if engine is None:
            return train
        self.state = _state(engine, self)

        @functools.wraps(train)
        def once(state: Any) -> Progress:
            try:
                return train()
            except tf.errors.OpError as error:
                if "orovod" in str(error):
                    raise engine.elastic.HorovodInternalError(str(error)) from error
                raise

        return functools.partial(engine.elastic.run(once), self.state)


def _state(engine: Any, run: ElasticRun) -> Any:
    """Horovod's view of ``run``: how to save, restore and synchronise it."""
    from horovod.common.elastic import State

    class RunState(State):
        def __init__(self) -> None:
            super().__init__(bcast_object=broadcast_object, get_rank=engine.rank)
            self.save()

        def save(self) -> None:
            self.values = [np.array(v) for v in shared_variables(run.model)]
            self.counts = dict(vars(run.progress))

        def restore(self) -> None:
            redone = run.progress.seen - self.counts["seen"]
            for variable, value in zip(shared_variables(run.model), self.values, strict=True):
                variable.assign(value)
            vars(run.progress).update(self.counts)
            run.progress.redone += max(redone, 0)

        def reset(self) -> None:
            run.progress.resets += 1

        def sync(self) -> None:
            broadcast_variables(shared_variables(run.model))
            vars(run.progress).update(broadcast_object(vars(run.progress)))
            drop_units_of_own(run.model)
            self.save()

    return RunState()


class CommitCallback(keras.callbacks.Callback):
    """Counts the rows that all workers have seen, and commits every few steps.

    Args:
        run: what is committed.
        batches: what is left of the epoch.
    """

    def __init__(self, run: ElasticRun, batches: WorkerBatches) -> None:
        super().__init__()
        self.run = run
        self.batches = batches

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count, and commit where it is time."""
        done = batch + 1
        self.run.progress.seen = self.batches.seen_after(done)
        if done % self.run.commit_every == 0 and done < len(self.batches):
            self.run.commit()
