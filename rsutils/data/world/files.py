"""The world as files: CSV for what a shop would have, ``truth/`` for what only its maker knows."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from rsutils import settings
from rsutils.data.dataset import Dataset
from rsutils.data.world.behaviour import Behaviour, Slates
from rsutils.data.world.catalogue import Catalogue, knowledge_graph
from rsutils.data.world.config import WorldConfig
from rsutils.data.world.diary import Diary
from rsutils.data.world.people import People
from rsutils.data.world.worlds import World, generate

TABLES = ("items", "users", "friends", "interactions")
SLATES = ("row", "clicked", "films")
FILM_TRUTH = ("factors", "quality", "popularity", "related", "related_share")
PEOPLE_TRUTH = ("taste_start", "taste_end", "mood_habit", "mood_direction", "leniency")
WAY_ON = "Make the files anew with `python tools/make_demo_world.py`."


def write_world(world: World, folder: Path) -> None:
    """Write ``world`` into ``folder``, which must not hold anything yet.

    The same world gives the same bytes. What fails half-way leaves ``folder`` as it was.

    Raises:
        FileExistsError: ``folder`` is there and not empty.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; remove it first, or name another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".world-") as work:
        draft = Path(work) / "world"
        _write(world, draft)
        draft.replace(folder)


def _write(world: World, folder: Path) -> None:
    (folder / "slates").mkdir(parents=True)
    (folder / "truth").mkdir()
    friends = pd.DataFrame(world.people.friends, columns=["user", "friend"])
    items = world.films.items.assign(released=world.films.released)
    tables = (items, world.people.users, friends, world.log())
    for name, table in zip(TABLES, tables, strict=True):
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", encoding="utf-8")
    for name in SLATES:
        np.save(folder / "slates" / f"{name}.npy", getattr(world.behaviour.slates, name))
    truth = {name: getattr(world.films, name) for name in FILM_TRUTH}
    truth |= {name: getattr(world.people, name) for name in PEOPLE_TRUTH}
    truth["mood"] = world.diary.mood
    for name, array in truth.items():
        np.save(folder / "truth" / f"{name}.npy", array)
    config = json.dumps(asdict(world.config), indent=2) + "\n"
    (folder / "truth" / "config.json").write_text(config, encoding="utf-8", newline="\n")


def read_truth(folder: Path = settings.DEMO_WORLD) -> World:
    """The world in ``folder`` with all that is hidden in it.

    Where the committed demo world is missing (the package installed on its own), it is made in the
    user's cache first, which takes a few seconds.

    Raises:
        FileNotFoundError: another folder, or one of its files, is missing.
        ValueError: the files do not fit together.
    """
    if folder == settings.DEMO_WORLD and not folder.is_dir():
        folder = settings.cache_home() / "demo"
        if not folder.is_dir():
            _make(folder)
    for name in TABLES:
        if not (folder / f"{name}.csv").is_file():
            raise FileNotFoundError(f"{folder / name}.csv is missing. {WAY_ON}")
    config = json.loads((folder / "truth" / "config.json").read_text(encoding="utf-8"))
    config["activity_range"] = tuple(config["activity_range"])
    config = WorldConfig(**config)
    items, users, friends, log = (pd.read_csv(folder / f"{name}.csv") for name in TABLES)
    truth = {
        name: _load(folder / "truth" / f"{name}.npy")
        for name in (*FILM_TRUTH, *PEOPLE_TRUTH, "mood")
    }
    _check(folder, {"items": items, "users": users, "interactions": log}, config, truth)
    films = Catalogue(
        items=items.drop(columns="released"),
        released=items["released"].to_numpy(np.int32),
        **{name: truth[name] for name in FILM_TRUTH},
    )
    people = People(
        users=users,
        friends=friends.to_numpy(np.int32),
        **{name: truth[name] for name in PEOPLE_TRUTH},
    )
    slates = Slates(**{name: _load(folder / "slates" / f"{name}.npy") for name in SLATES})
    return World(config, films, people, _diary(log, truth["mood"], config), _behaviour(log, slates))


def _make(folder: Path) -> None:
    try:
        write_world(generate(), folder)
    except OSError:
        # Two notebooks that start together both get here; the slower one finds the folder made.
        if not folder.is_dir():
            raise


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a whole .npy file ({error}). {WAY_ON}") from error


def _check(
    folder: Path,
    tables: dict[str, pd.DataFrame],
    config: WorldConfig,
    truth: dict[str, np.ndarray],
) -> None:
    """Refuse tables that are longer or shorter than the hidden half of the world says."""
    expected = {
        "items": config.n_items,
        "users": config.n_users,
        "interactions": len(truth["mood"]),
    }
    for name, rows in expected.items():
        if len(tables[name]) != rows:
            raise ValueError(
                f"{folder / name}.csv holds {len(tables[name])} rows; expected {rows}. {WAY_ON}"
            )


def _diary(log: pd.DataFrame, mood: np.ndarray, config: WorldConfig) -> Diary:
    user = log["user"].to_numpy(np.int32)
    length = np.bincount(user, minlength=config.n_users).astype(np.int32)
    first = np.repeat(np.cumsum(length) - length, length)
    return Diary(
        user=user,
        step=(np.arange(len(user)) - first).astype(np.int32),
        session=log["session"].to_numpy(np.int32),
        mood=mood,
        minute=log["minute"].to_numpy(np.int32),
        length=length,
    )


def _behaviour(log: pd.DataFrame, slates: Slates) -> Behaviour:
    return Behaviour(
        item=log["item"].to_numpy(np.int32),
        slates=slates,
        **{name: log[name].to_numpy(np.int8) for name in ("position", "finished", "rating")},
    )


def read_world(folder: Path = settings.DEMO_WORLD) -> Dataset:
    """The demo world as a data set.

    Returns:
        The data set ``"demo"``. Its ``extras``: ``log`` (a table aligned with ``interactions``:
        minute, session, position, finished, ...), ``friends`` (n_pairs, 2), ``knowledge``
        (a table of triples), ``slates`` (what the panel was shown) and ``world`` (the truth, for
        ``Oracle``).

    Raises:
        FileNotFoundError, ValueError: see ``read_truth``.

    Example:
        >>> demo = read_world()
        >>> demo.name, sorted(demo.extras)
        ('demo', ['friends', 'knowledge', 'log', 'slates', 'world'])
    """
    world = read_truth(folder)
    return Dataset(
        name="demo",
        interactions=world.interactions(),
        items=world.films.items,
        users=world.people.users,
        licence="CC0-1.0",
        extras={
            "log": world.log(),
            "friends": world.people.friends,
            "knowledge": knowledge_graph(world.films.items),
            "slates": world.behaviour.slates,
            "world": world,
        },
    )
