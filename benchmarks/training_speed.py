"""From the obvious way of training to a fast one: the same model, the same data, the same loss.

    python -m benchmarks.training_speed [--system NAME] [--seed 0 1 2]

NeuMF (``rsutils.models.ncf``) learns from MovieLens 1M, four drawn items beside each observed pair,
in one pass. One pair of each user is held out; with four drawn items each, these are the rows that
``validation_loss`` is measured on, and every recipe has the same rows.

Each recipe runs in a process of its own, ``obvious`` always first. ``speedup`` is its examples a
second over those of ``obvious`` with the same seed in the same run; ``loss_ratio`` its validation
loss over theirs. The first tenth of the steps, in which TensorFlow traces and compiles, is not
timed for any of them; ``seconds`` counts everything. From ``obvious`` to ``fastest`` each recipe
builds on the one before, but for ``row_sparse_adam``, which ``one_adam`` replaces. Recipes after
``fastest``, which has large batches and a rate that rises and falls, change one thing of it. XLA is
not among them: with it, the process ended in a double free of memory here.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks.common import print_row, random_of_each_user
from benchmarks.steps import fresh_processes, step_clock
from rsutils.data import Interactions, load, sample_negatives
from rsutils.measure import peak_memory

DATASET = "ncf-ml-1m"
NEGATIVES = 4
WINDOW = 10_000
SHARE_NOT_TIMED = 0.1


@dataclass(frozen=True)
class Recipe:
    """How to train, whatever is trained.

    Attributes:
        examples: of a batch, observed and drawn pairs.
        learning_rate: of Adam.
        falling: whether the learning rate rises and falls in the course of training.
        slices: whether batches are cut from whole arrays, not gathered from single rows.
        drawn_in_graph: whether the step itself draws the negatives.
        xla: ``jit_compile`` of ``compile``.
        steps_per_execution: batches that one call of the compiled function runs through.
        optimizer: ``"Adam"``, ``"RowSparseAdam"`` or ``"DenseAdam"``.
        precision: a dtype policy of Keras.
    """

    examples: int = 128
    learning_rate: float = 0.001
    falling: bool = False
    slices: bool = False
    drawn_in_graph: bool = False
    xla: bool | str = "auto"
    steps_per_execution: int = 1
    optimizer: str = "Adam"
    precision: str = "float32"


OBVIOUS = Recipe()
SLICES = replace(OBVIOUS, slices=True)
NO_XLA = replace(SLICES, xla=False)
ONE_ADAM = replace(NO_XLA, optimizer="DenseAdam")
ROWS = replace(NO_XLA, optimizer="RowSparseAdam")
MANY_STEPS = replace(ONE_ADAM, steps_per_execution=32)
FASTEST = replace(
    MANY_STEPS, examples=8192, learning_rate=0.03, falling=True, steps_per_execution=8
)
RECIPES = {
    "obvious": OBVIOUS,
    "slices": SLICES,
    "no_xla": NO_XLA,
    "row_sparse_adam": ROWS,
    "one_adam": ONE_ADAM,
    "many_steps": MANY_STEPS,
    "fastest": FASTEST,
    "fastest_drawn_in_graph": replace(FASTEST, drawn_in_graph=True),
    "fastest_bfloat16": replace(FASTEST, precision="mixed_bfloat16"),
    "fastest_row_sparse": replace(FASTEST, optimizer="RowSparseAdam"),
}


def held_out(seed: int) -> tuple[Interactions, dict[str, np.ndarray], np.ndarray]:
    """What is learnt from, and the rows that measure the loss: pairs and their labels."""
    log = load(DATASET).published.train
    chosen = random_of_each_user(log, 1, seed=[seed, 1])
    return log.take(~chosen), *with_negatives(log, log.take(chosen), seed)


def with_negatives(
    log: Interactions, pairs: Interactions, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """``pairs`` and items that their users do not have in ``log``, with labels (n, 1)."""
    drawn = sample_negatives(log, pairs.user, NEGATIVES, seed=seed)
    label = np.zeros((len(pairs), 1 + NEGATIVES), np.float32)
    label[:, 0] = 1
    items = np.column_stack([pairs.item, drawn]).ravel().astype(np.int32)
    user = np.repeat(pairs.user, 1 + NEGATIVES).astype(np.int32)
    return {"user": user, "item": items}, label.reshape(-1, 1)


def measure(recipe: Recipe, seed: int) -> dict[str, float]:
    """Train by ``recipe``, for one pass; TensorFlow is loaded here, in a process of its own."""
    import keras

    from rsutils.models.ncf import NCFConfig, build
    from rsutils.training.fitting import cosine

    train, rows, label = held_out(seed)
    keras.config.set_dtype_policy(recipe.precision)
    keras.utils.set_random_seed(seed)
    scorer = build(keras, NCFConfig(train.n_users, train.n_items, seed=seed))
    start = time.perf_counter()
    with peak_memory() as memory:
        model, data, loss = _trained_on(scorer, train, recipe, seed)
        steps = int(data.cardinality())
        rate = recipe.learning_rate
        model.compile(
            _optimizer(recipe.optimizer)(cosine(rate, steps, 0.1) if recipe.falling else rate),
            loss,
            jit_compile=recipe.xla,
            steps_per_execution=min(recipe.steps_per_execution, steps),
        )
        clock = step_clock(math.ceil(SHARE_NOT_TIMED * steps))
        model.fit(data, verbose=0, shuffle=False, callbacks=[clock])
    seconds = time.perf_counter() - start
    logits = np.asarray(scorer.predict(rows, batch_size=8192, verbose=0), np.float64)
    examples = len(train) * (1 + NEGATIVES) / steps * (steps - clock.first)
    return {
        "validation_loss": float(np.logaddexp(0, np.where(label == 1, -logits, logits)).mean()),
        "examples_per_second": examples / clock.seconds,
        "seconds": seconds,
        "peak_mb": memory.peak_mb,
    }


def _trained_on(scorer: Any, train: Interactions, recipe: Recipe, seed: int) -> tuple:
    """What to call ``fit`` of, its data, and its loss."""
    import keras
    import tensorflow as tf

    from rsutils.training import PairPrediction, SliceBatches

    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    if recipe.drawn_in_graph:
        pairs = {"user": train.user, "item": train.item}
        batches = SliceBatches(pairs, recipe.examples // (1 + NEGATIVES), seed)
        return PairPrediction(scorer, train, NEGATIVES, seed), batches.dataset(), None
    rows = with_negatives(train, train, seed)
    if recipe.slices:
        return scorer, SliceBatches(rows, recipe.examples, seed).dataset(), loss
    # A window of 10,000 rows would see one user after the other: the order is drawn before.
    order = np.random.default_rng(seed).permutation(len(rows[1]))
    rows = tf.nest.map_structure(lambda array: array[order], rows)
    data = tf.data.Dataset.from_tensor_slices(rows).shuffle(WINDOW, seed).batch(recipe.examples)
    return scorer, data, loss


def _optimizer(name: str) -> Any:
    import keras

    from rsutils import training

    return getattr(training, name, None) or getattr(keras.optimizers, name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_speed")
    parser.add_argument("--system", choices=RECIPES, help="only this one, beside obvious")
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="a row a seed")
    options = parser.parse_args(arguments)
    names = ["obvious", options.system] if options.system else list(RECIPES)
    try:
        run(list(dict.fromkeys(names)), options.seed)
    except ConnectionError as error:
        sys.exit(str(error))


def run(names: Sequence[str], seeds: Sequence[int]) -> None:
    """Print a row for each recipe and seed, ``obvious`` first."""
    with fresh_processes() as one:
        for seed in seeds:
            plain: dict[str, float] = {}
            for name in names:
                row = one.submit(measure, RECIPES[name], seed).result()
                plain = plain or row
                _print(name, seed, row, plain)


def _print(name: str, seed: int, row: dict[str, float], plain: dict[str, float]) -> None:
    row = row | {
        "speedup": row["examples_per_second"] / plain["examples_per_second"],
        "loss_ratio": row["validation_loss"] / plain["validation_loss"],
    }
    head = {"benchmark": "training_speed", "dataset": DATASET, "system": name}
    print_row(**head, **row, seed=seed, published=None, recipe=asdict(RECIPES[name]))


if __name__ == "__main__":
    main()
