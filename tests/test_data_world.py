"""The demo world's maker: same bytes, honest law, files that are whole or refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rsutils import settings
from rsutils.data.world import Oracle, World, WorldConfig, files, generate, read_truth, read_world
from rsutils.data.world.behaviour import draw
from rsutils.data.world.files import write_world
from rsutils.data.world.law import NO_FILM, Situation

SMALL = WorldConfig(n_users=60, n_items=700, panel=5, seed=3)


@pytest.fixture(scope="module")
def small() -> World:
    return generate(SMALL)


@pytest.fixture
def folder(small: World, tmp_path: Path) -> Path:
    write_world(small, tmp_path / "world")
    return tmp_path / "world"


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_committed_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    write_world(generate(), tmp_path / "demo")
    fresh, committed = contents(tmp_path / "demo"), contents(settings.DEMO_WORLD)
    assert fresh.keys() == committed.keys()
    assert [name for name in fresh if fresh[name] != committed[name]] == []
    assert sum(map(len, committed.values())) < 5_000_000


def test_another_seed_makes_another_world(small: World) -> None:
    other = generate(dataclasses.replace(SMALL, seed=4))
    assert not np.array_equal(small.films.factors, other.films.factors)
    assert small.log()["item"].tolist() != other.log()["item"].tolist()


def test_reading_gives_back_what_was_written(small: World, folder: Path) -> None:
    again = read_truth(folder)
    assert again.config == small.config
    assert again.log().equals(small.log())
    assert again.films.items.equals(small.films.items)
    assert np.array_equal(again.films.released, small.films.released)
    assert np.array_equal(again.people.friends, small.people.friends)
    assert np.array_equal(again.diary.step, small.diary.step)
    assert np.array_equal(again.behaviour.slates.films, small.behaviour.slates.films)
    history = small.interactions()
    expected = Oracle(small).fit(history).scores(np.arange(60))
    assert np.array_equal(Oracle(again).fit(history).scores(np.arange(60)), expected)


def test_dataset_has_a_title_for_every_item_and_a_row_for_every_user() -> None:
    demo = read_world()
    assert len(demo.items) == demo.interactions.n_items
    assert demo.items["title"].is_unique
    assert len(demo.users) == demo.interactions.n_users
    log = demo.extras["log"]
    assert np.array_equal(log["item"], demo.interactions.item)
    triples = demo.extras["knowledge"]
    directed = triples[triples["relation"] == "directed_by"].set_index("item")["entity"]
    assert directed.tolist() == demo.items["director"].tolist()


def test_nobody_watches_twice_nor_before_the_film_is_out(small: World) -> None:
    log = small.log()
    assert not log.duplicated(["user", "item"]).any()
    week = log["minute"] // (7 * 24 * 60)
    assert (small.films.released[log["item"]] // (7 * 24 * 60) <= week).all()
    assert (log.groupby("user")["minute"].diff().dropna() > 0).all()


def test_the_clicked_slot_of_a_slate_holds_the_film_that_was_watched(small: World) -> None:
    slates, log = small.behaviour.slates, small.log()
    hit = slates.clicked >= 0
    films = slates.films[hit, slates.clicked[hit]]
    assert np.array_equal(films, log["item"].to_numpy()[slates.row[hit]])
    assert np.array_equal(slates.clicked[hit], log["position"].to_numpy()[slates.row[hit]])
    assert len(np.unique(slates.row[hit])) == hit.sum()
    assert len(np.unique(log["user"].to_numpy()[slates.row])) == SMALL.panel


def test_the_first_click_of_a_slate_follows_the_closed_form() -> None:
    """Slates drawn film by film and clicked from the top, against P ∝ q a, in a world of 8."""
    config = WorldConfig(n_users=2, n_items=8, activity_range=(1, 4), reserve=1.0, panel=1)
    law = generate(config).law
    one = np.zeros(1, int)
    at = Situation(one, one, one, one + NO_FILM, one, np.arange(8)[None] == 5)
    rng = np.random.default_rng(0)
    n = 60_000
    films = draw(np.repeat(law.exposure(at), n * config.slots, axis=0), rng)
    films = films.reshape(n, config.slots)
    click = rng.random(films.shape) < law.examined() * law.attraction(at)[0][films]
    hit = click.any(axis=1)
    first = click[hit].argmax(axis=1)
    for slots in (first == 0, first >= 3):
        seen = np.bincount(films[hit][slots, first[slots]], minlength=8) / slots.sum()
        error = np.sqrt(0.25 / slots.sum())
        assert np.abs(seen - law.next_film(at)[0]).max() < 4 * error
        assert np.abs(seen - law.exposure(at)[0]).max() > 4 * error


def test_up_next_shows_only_unseen_films(small: World) -> None:
    zero = np.zeros(1, int)
    related = small.films.related[0]
    seen = np.zeros((1, 700), bool)
    seen[0, related[:3]] = True
    late = zero + SMALL.minutes
    q = small.law.exposure(Situation(zero, zero, zero, zero, late, seen))
    assert q.sum() == pytest.approx(1)
    assert (q[0, related[:3]] == 0).all()
    alone = small.law.exposure(Situation(zero, zero, zero, zero + NO_FILM, late, seen))
    assert (q[0, related[3:]] > alone[0, related[3:]]).all()


def test_oracle_gives_probabilities_and_none_to_what_was_seen(small: World) -> None:
    history = small.interactions()
    for question in ("taste", "next"):
        scores = Oracle(small, question).fit(history).scores(np.array([7, 0, 7]))
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
        assert np.array_equal(scores[0], scores[2])
        assert (scores[0, history.item[history.user == 7]] == 0).all()


def test_oracle_knows_newcomers_without_a_history(small: World) -> None:
    empty = small.interactions().take(np.zeros(0, int))
    users = np.arange(60)
    taste, following = (
        Oracle(small, question).fit(empty).scores(users) for question in ("taste", "next")
    )
    np.testing.assert_allclose(taste, following, rtol=1e-6)


def test_oracle_refuses_other_questions_worlds_and_haste(small: World) -> None:
    with pytest.raises(ValueError, match="'mood'"):
        Oracle(small, "mood")
    with pytest.raises(RuntimeError, match="fit"):
        Oracle(small).scores(np.array([0]))
    history = small.interactions()
    shifted = dataclasses.replace(history, item=(history.item + 1) % 700)
    with pytest.raises(ValueError, match="never watched item"):
        Oracle(small).fit(shifted)


@pytest.mark.parametrize(
    "wrong", [{"stay": 1.0}, {"drift": -0.1}, {"panel": 0}, {"activity_range": (8, 601)}]
)
def test_impossible_worlds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WorldConfig(**wrong)


def test_writing_over_something_is_refused(small: World, folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(FileExistsError, match="not empty"):
        write_world(small, folder)
    assert contents(folder) == before


def test_a_full_disk_leaves_nothing_behind(
    small: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space"):
        write_world(small, tmp_path / "world")
    assert list(tmp_path.iterdir()) == []


def test_missing_and_truncated_files_are_named(folder: Path) -> None:
    array = folder / "truth" / "factors.npy"
    array.write_bytes(array.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"factors\.npy.*make_demo_world"):
        read_truth(folder)
    log = folder / "interactions.csv"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-5]))
    with pytest.raises(ValueError, match=r"factors\.npy|interactions\.csv"):
        read_truth(folder)
    log.unlink()
    with pytest.raises(FileNotFoundError, match=r"interactions\.csv is missing"):
        read_truth(folder)


def test_a_shortened_log_is_refused(folder: Path) -> None:
    log = folder / "interactions.csv"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-5]))
    with pytest.raises(ValueError, match=r"interactions\.csv holds \d+ rows; expected"):
        read_truth(folder)


def test_without_the_repository_the_world_is_made_in_the_cache(
    small: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DEMO_WORLD", tmp_path / "absent")
    monkeypatch.setenv("RSUTILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "generate", lambda: small)
    assert read_truth(tmp_path / "absent").config == SMALL
    monkeypatch.setattr(files, "generate", lambda: pytest.fail("made twice"))
    assert read_truth(tmp_path / "absent").config == SMALL
