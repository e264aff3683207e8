"""A search with several aims at once: the trials that no other one beats in everything.

Trials are drawn, kept and resumed as those of :func:`~rsutils.training.search` are.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rsutils.training.pareto import check_directions, pareto_front
from rsutils.training.search_space import (
    Settings,
    Space,
    check_count,
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

Figures = Callable[[Settings], Mapping[str, float]]
OWN = ("state", "seconds", "within_budget")
"""Columns that a table of trials has beside settings and figures."""


@dataclass(frozen=True, eq=False)
class Front:
    """What a search with several aims found.

    Attributes:
        points: the rows of ``trials`` on the front, in the order of the first figure; of trials
            with the same settings the first.
        trials: a row a trial: ``state`` (``"finished"`` or ``"failed"``), ``seconds``,
            ``within_budget``, a column a setting, and a column a figure, NaN where it failed.
    """

    points: pd.DataFrame
    trials: pd.DataFrame


def search_front(
    objective: Figures,
    space: Space,
    trials: int,
    storage: str | Path,
    directions: Mapping[str, str],
    budget: Mapping[str, float] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Front:
    """Try ``trials`` settings in all, those in ``storage`` included, and return the Pareto front.

    Settings are drawn by the tree-structured Parzen estimator with several aims (Ozaki et al. 2020,
    "Multiobjective tree-structured Parzen estimator for computationally expensive optimization
    problems", section 4), the first ten at random. A trial above the budget counts, and steers the
    draws away, but is not on the front. Settings that were tried before take over the figures of
    then. A trial that diverges (``FloatingPointError``, NaN or infinity) counts as failed. Any
    other error, and Ctrl-C, ends the search; the next call runs that trial again and repeats no
    other, so that an interrupted search ends with the same trials as an undisturbed one.

    Args:
        objective: takes the settings, returns a number for each of ``directions``, by name.
        space: what each setting may be: ``Between(low, high)`` or a list of choices.
        trials: in all; where ``storage`` holds more, none is run.
        storage: an SQLite file for this search alone, made here. One process at a time.
        directions: ``"maximize"`` or ``"minimize"`` by figure, at least two.
        budget: the most that a figure which is minimised may be; None for no limit.
        seed: of the settings.
        progress: show a progress bar.

    Raises:
        ImportError: Optuna is not installed.
        ValueError: an argument is out of range, ``storage`` holds something else or another
            search, the objective returns other figures, no trial finished, or none is within the
            budget; the message says which came nearest.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> def figures(settings):
        ...     return {"quality": 1 - 1 / settings["units"], "bytes": 4 * settings["units"]}
        >>> asked = {"quality": "maximize", "bytes": "minimize"}
        >>> with TemporaryDirectory() as folder:
        ...     found = search_front(figures, {"units": [1, 2, 4, 8]}, 20, Path(folder) / "x.db",
        ...                          asked, budget={"bytes": 20}, progress=False)
        >>> found.points["units"].tolist()
        [4, 2, 1]
    """
    budget = dict(budget or {})
    _check(trials, directions, budget, space, seed)
    asked = {"directions": dict(directions), "budget": budget, "seed": seed}
    optuna = import_optuna()
    with hushed(optuna):
        study = open_study(optuna, Path(storage), asked | {"space": described(space)})
        # Values have an order, that of the search which made the storage.
        directions = study.user_attrs["asked"]["directions"]
        run = partial(_run, optuna, study, objective, space, [*directions], budget)
        standing = partial(_standing, study, space, directions, budget)
        run_trials(optuna, study, trials, seed, run, standing, progress)
        table = _table(study, space, directions, budget)
    if not (table["state"] == "finished").any():
        raise none_finished(table["state"])
    points = _points(table, space, directions)
    if points.empty:
        raise _too_dear(table, budget)
    return Front(points, table)


def _check(
    trials: int, directions: Mapping[str, str], budget: Mapping[str, float], space: Space, seed: int
) -> None:
    check_count("trials", trials, least=1)
    check_count("seed", seed, least=0)
    check_space(space)
    check_directions(directions)
    if len(directions) < 2:
        raise ValueError(
            f"directions name {', '.join(directions)} only; for a single aim use `search`."
        )
    for name in directions:
        if name in space or name in OWN:
            raise ValueError(f"The figure {name!r} is called like a setting or one of {OWN}.")
    for name, most in budget.items():
        if directions.get(name) != "minimize":
            raise ValueError(f"budget names {name!r}; expected a figure that is minimised.")
        if not (math.isfinite(most) and most > 0):
            raise ValueError(f"budget[{name!r}] is {most}; expected a finite number above 0.")


def _run(
    optuna: Any,
    study: Any,
    objective: Figures,
    space: Space,
    names: list[str],
    budget: Mapping[str, float],
    trial: Any,
) -> None:
    """One trial; any other error than divergence leaves it open in the storage."""
    settings = draw(trial, space)
    values = _known(study, trial.params) or _asked(objective, settings, names)
    if values is None:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    for name, excess in _excess(dict(zip(names, values, strict=True)), budget).items():
        trial.set_constraint(name, excess)
    study.tell(trial, values)


def _known(study: Any, stored: Mapping[str, Any]) -> list[float] | None:
    """The figures of a finished trial with these settings."""
    finished = (trial for trial in ended(study) if trial.state.name == "COMPLETE")
    return next((trial.values for trial in finished if trial.params == stored), None)


def _asked(objective: Figures, settings: Settings, names: list[str]) -> list[float] | None:
    """The figures in the order of ``names``, or None where training diverged."""
    try:
        figures = objective(settings)
    except FloatingPointError:
        return None
    if set(figures) != set(names):
        raise ValueError(
            f"The objective returns {', '.join(figures) or 'nothing'}; expected a number for each "
            f"of {', '.join(names)}."
        )
    values = [float(figures[name]) for name in names]
    return values if np.isfinite(values).all() else None


def _excess(figures: Mapping[str, float], budget: Mapping[str, float]) -> dict[str, float]:
    """By how much a budget is exceeded, as a share of it; at most 0 where it is kept."""
    return {name: float(figures[name] / most - 1) for name, most in budget.items()}


def _table(
    study: Any, space: Space, directions: Mapping[str, str], budget: Mapping[str, float]
) -> pd.DataFrame:
    rows = []
    for trial in ended(study):
        values = trial.values or [math.nan] * len(directions)
        figures = dict(zip(directions, values, strict=True))
        kept = bool(trial.values) and all(e <= 0 for e in _excess(figures, budget).values())
        own = NAME_OF_STATE[trial.state.name], trial.duration.total_seconds(), kept
        rows.append(dict(zip(OWN, own, strict=True)) | decoded(trial.params, space) | figures)
    table = pd.DataFrame(rows, columns=[*OWN, *space, *directions])
    table.index.name = "trial"
    return table


def _points(table: pd.DataFrame, space: Space, directions: Mapping[str, str]) -> pd.DataFrame:
    kept = table[table["within_budget"]]
    first, way = next(iter(directions.items()))
    front = pareto_front(kept[~kept[[*space]].map(repr).duplicated()], directions)
    return front.sort_values(first, ascending=way == "minimize", kind="stable")


def _standing(
    study: Any, space: Space, directions: Mapping[str, str], budget: Mapping[str, float]
) -> str:
    return f"{len(_points(_table(study, space, directions, budget), space, directions))} on front"


def _too_dear(table: pd.DataFrame, budget: Mapping[str, float]) -> ValueError:
    excess = pd.DataFrame({n: table[n] / most - 1 for n, most in budget.items()}).clip(lower=0)
    nearest = excess.sum(axis=1, skipna=False).idxmin()
    has = ", ".join(f"{name} {table.loc[nearest, name]:,.6g}" for name in budget)
    return ValueError(
        f"No trial is within the budget {dict(budget)}. Trial {nearest} came nearest, with {has}: "
        f"{table.loc[nearest].drop([*OWN]).to_dict()}. Raise the budget, or search smaller ones."
    )
