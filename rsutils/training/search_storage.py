"""The SQLite file of a search, and Optuna kept quiet."""

import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

NAME = "search"
NAME_OF_STATE = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
"""Of a trial that is over."""


def import_optuna() -> Any:
    """The module, imported when a search needs it.

    Raises:
        ImportError: it is not installed; the message says how to get it.
    """
    try:
        # Its progress bars, which are not used here, warn where notebooks lack widgets.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import optuna
    except ImportError:
        raise ImportError(
            "search needs Optuna, which is not installed. Get it with pip install 'optuna>=5.0'; "
            "make setup brings it along."
        ) from None
    return optuna


@contextmanager
def hushed(optuna: Any) -> Iterator[None]:
    """Let Optuna log errors only, inside the block."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def ended(study: Any) -> list[Any]:
    """The trials of ``study`` that are over, in order; those that were interrupted are not."""
    return [
        trial for trial in study.get_trials(deepcopy=False) if trial.state.name in NAME_OF_STATE
    ]


def none_finished(states: pd.Series) -> ValueError:
    """What to say where every trial was pruned or failed."""
    return ValueError(
        f"No trial finished: {states.value_counts().to_dict()}. Look at the objective, or search "
        "where it does not diverge, in a new storage."
    )


def open_study(optuna: Any, path: Path, asked: Mapping[str, Any]) -> Any:
    """The study in ``path``, made where nothing stands there.

    Args:
        optuna: the module.
        path: an SQLite file.
        asked: what the search was asked for, as JSON knows it; it holds ``direction``, or
            ``directions`` by name.

    Raises:
        ValueError: the file is no search's, or that of a search that was asked for something else.
    """
    if not path.exists():
        _create(optuna, path, asked)
    _check_file(path)
    study = optuna.load_study(study_name=NAME, storage=_storage(optuna, path))
    for name, value in study.user_attrs["asked"].items():
        if value != asked.get(name):
            other = repr(asked[name]) if name in asked else "none"
            raise ValueError(
                f"{path} holds a search with {name} {value!r}; this one has {other}. "
                "Ask for the same, or give this search a file of its own."
            )
    return study


def _create(optuna: Any, path: Path, asked: Mapping[str, Any]) -> None:
    """Tables and study in a draft that is moved into place: never half of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.unlink(missing_ok=True)
    storage = _storage(optuna, draft)
    directions = [asked["direction"]] if "direction" in asked else [*asked["directions"].values()]
    study = optuna.create_study(storage=storage, study_name=NAME, directions=directions)
    study.set_user_attr("asked", dict(asked))
    storage.remove_session()
    storage.engine.dispose()
    draft.replace(path)


def _storage(optuna: Any, path: Path) -> Any:
    return optuna.storages.RDBStorage(f"sqlite:///{path.absolute().as_posix()}")


def _check_file(path: Path) -> None:
    """Look before Optuna opens the file: it would add its tables to anybody's."""
    try:
        # Writable, because after a kill SQLite rolls the last transaction back here.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as file:
            rows = file.execute("SELECT study_name FROM studies").fetchall()
    except sqlite3.DatabaseError as error:
        raise ValueError(
            f"{path} is no search's storage ({error}). Give the search a file of its own."
        ) from None
    if (NAME,) not in rows:
        raise ValueError(f"{path} holds studies of Optuna, but no search. Choose another file.")
