"""Automatic search of hyper-parameters: Optuna proposes, prunes and remembers.

Every finished trial stands in one SQLite file, so that a search that was interrupted goes on where
it stood. SQLite writes in transactions: a process killed in the middle of one leaves the last whole
state and no lock. (Optuna's journal is a file of lines; after half a line it cannot be read again.)

A trial's settings depend on the seed, its number and the results before it, and on nothing that a
process holds. So an interrupted search ends with the same trials as an undisturbed one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from rsutils.training.search_space import (
    Settings,
    Space,
    check_count,
    check_direction,
    check_space,
    decoded,
    described,
    draw,
)
from rsutils.training.search_storage import (
    NAME_OF_STATE,
    ended,
    hushed,
    import_optuna,
    none_finished,
    open_study,
)
from rsutils.training.search_trials import run_trials

Report = Callable[[int, float], None]
Objective = Callable[[Settings, Report], float]


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        settings: of the best finished trial.
        value: what its objective returned.
        trials: a row a trial: ``state`` (``"finished"``, ``"pruned"``, ``"failed"``), ``value`` (of
            a pruned trial the last that it reported, of a failed one NaN), ``epochs`` (how many
            it reported), ``seconds``, and a column a setting.
        reported: a row a report: ``trial``, ``epoch``, ``value``.
    """

    settings: Settings
    value: float
    trials: pd.DataFrame
    reported: pd.DataFrame


def search(
    objective: Objective,
    space: Space,
    trials: int,
    storage: str | Path,
    seed: int = 0,
    direction: str = "maximize",
    startup: int = 5,
    warmup: int = 1,
    progress: bool = True,
) -> Found:
    """Try ``trials`` settings in all, those in ``storage`` included, and return the best.

    Settings are drawn by the tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms
    for hyper-parameter optimization", section 4), the first ten at random. A trial is pruned when
    the best value that it has reported is worse than the median of what the finished ones reported
    at the same epoch. One that diverges (``FloatingPointError``, NaN or infinity) counts as failed
    and the search goes on. Any other error, and Ctrl-C, ends the search; the next call runs that
    trial again and repeats no other.

    Args:
        objective: takes the settings and ``report(epoch, value)``, returns the value. ``report``
            raises to stop a pruned trial; let that pass.
        space: what each setting may be: ``Between(low, high)`` or a list of choices.
        trials: in all; where ``storage`` holds more, none is run.
        storage: an SQLite file for this search alone, made here. One process at a time.
        seed: of the settings.
        direction: ``"maximize"`` or ``"minimize"``.
        startup: finished trials before any is pruned.
        warmup: epochs of each trial that are never pruned.
        progress: show a progress bar.

    Raises:
        ImportError: Optuna is not installed.
        ValueError: an argument is out of range, ``storage`` holds something else or another
            search, or no trial finished.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from rsutils.training import Between
        >>> def parabola(settings, report):
        ...     return (settings["x"] - 1) ** 2
        >>> asked = {"space": {"x": Between(-3, 3)}, "direction": "minimize", "progress": False}
        >>> with TemporaryDirectory() as folder:
        ...     first = search(parabola, trials=4, storage=Path(folder) / "x.db", **asked)
        ...     both = search(parabola, trials=8, storage=Path(folder) / "x.db", **asked)
        >>> len(first.trials), len(both.trials), first.trials.equals(both.trials[:4])
        (4, 8, True)
    """
    asked = {"seed": seed, "direction": direction, "startup": startup, "warmup": warmup}
    _check(trials=trials, **asked)
    check_space(space)
    optuna = import_optuna()
    with hushed(optuna):
        study = open_study(optuna, Path(storage), asked | {"space": described(space)})
        study.pruner = optuna.pruners.MedianPruner(startup, warmup + 1)
        run = partial(_run, optuna, study, objective, space)
        run_trials(optuna, study, trials, seed, run, partial(_standing, study, direction), progress)
        return _found(study, space, direction)


def _check(direction: str, **counts: Any) -> None:
    check_direction("direction", direction)
    for name, value in counts.items():
        check_count(name, value, least=int(name == "trials"))


def _run(optuna: Any, study: Any, objective: Objective, space: Space, trial: Any) -> None:
    """One trial; what neither ends, is pruned nor diverges leaves it open in the storage."""

    def report(epoch: int, value: float) -> None:
        if not math.isfinite(value):
            raise FloatingPointError(f"{value} was reported at epoch {epoch}.")
        trial.report(float(value), epoch)
        if trial.should_prune():
            raise optuna.TrialPruned(f"Behind the median at epoch {epoch}.")

    value, state = None, optuna.trial.TrialState.COMPLETE
    try:
        value = float(objective(draw(trial, space), report))
    except optuna.TrialPruned:
        state = optuna.trial.TrialState.PRUNED
    except FloatingPointError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        value, state = None, optuna.trial.TrialState.FAIL
    study.tell(trial, value, state)


def _best(study: Any, direction: str) -> Any | None:
    """The best finished trial, the first of equals, or None."""
    finished = [trial for trial in ended(study) if trial.state.name == "COMPLETE"]
    choose = max if direction == "maximize" else min
    return choose(finished, key=lambda trial: trial.value, default=None)


def _standing(study: Any, direction: str) -> str:
    best = _best(study, direction)
    return f"best {best.value:.4g}" if best else "none finished"


def _found(study: Any, space: Space, direction: str) -> Found:
    rows, reports = [], []
    for number, trial in enumerate(ended(study)):
        row = {
            "state": NAME_OF_STATE[trial.state.name],
            "value": math.nan if trial.value is None else trial.value,
            "epochs": len(trial.intermediate_values),
            "seconds": trial.duration.total_seconds(),
        }
        rows.append(row | decoded(trial.params, space))
        reports += [(number, *report) for report in sorted(trial.intermediate_values.items())]
    trials = pd.DataFrame(rows)
    trials.index.name = "trial"
    best = _best(study, direction)
    if best is None:
        raise none_finished(trials["state"])
    reported = pd.DataFrame(reports, columns=["trial", "epoch", "value"])
    return Found(decoded(best.params, space), best.value, trials, reported)
