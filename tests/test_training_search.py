"""A search stops runs that fall behind, survives being killed, and says what is wrong."""

import math
import signal
import sqlite3
import subprocess
import sys

import keras
import numpy as np
import optuna
import pytest

from rsutils.data.interactions import Interactions
from rsutils.models import NCF
from rsutils.training import Between, ReportEachEpoch, ScoreEachEpoch, search

SPACE = {"x": Between(-3.0, 3.0), "units": Between(1, 64), "hidden": [(), (8, 4), "none"]}
EPOCHS = 5


def climb(settings, report):
    """Five epochs that approach a value which depends on the settings."""
    value = -((settings["x"] - 1) ** 2) - len(settings["hidden"])
    for epoch in range(1, EPOCHS + 1):
        report(epoch, value - 1 / epoch)
    return value


class Plug:
    """``climb`` that raises in the middle of its n-th trial and counts what it was asked."""

    def __init__(self, at=None, error=KeyboardInterrupt):
        self.at, self.error, self.seen = at, error, []

    def __call__(self, settings, report):
        self.seen.append(dict(settings))
        report(1, -100.0 if len(self.seen) % 3 == 0 else 0.0)
        if len(self.seen) == self.at:
            raise self.error
        return -((settings["x"] - 1) ** 2)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "deep" / "search.db"


def run(objective, file, trials=8, space=SPACE, **more):
    return search(objective, space, trials, file, progress=False, **more)


def same(one, other):
    drop = ["seconds"]
    return one.trials.drop(columns=drop).equals(other.trials.drop(columns=drop))


def test_settings_come_from_the_space_and_the_best_is_the_best(file):
    found = run(climb, file, trials=14)
    assert len(found.trials) == 14
    assert found.trials["x"].between(-3, 3).all()
    assert found.trials["units"].dtype.kind == "i"
    assert set(found.trials["hidden"]) == {(), (8, 4), "none"}
    finished = found.trials[found.trials["state"] == "finished"]
    best = finished.loc[finished["value"].idxmax()]
    assert found.value == best["value"] == climb(found.settings, lambda *_: None)
    assert found.settings == best[list(SPACE)].to_dict()
    assert (found.trials["seconds"] >= 0).all()


def test_the_smallest_is_best_where_it_minimises(file):
    found = run(lambda s, report: s["x"] ** 2, file, direction="minimize")
    assert found.value == found.trials["value"].min()


def test_it_searches_better_than_at_random(file):
    found = run(climb, file, trials=40, space={"x": SPACE["x"], "hidden": [()]}, startup=40)
    at_random = (4**2 + 2**2) / 2 / 6
    assert abs(found.trials["x"][10:] - 1).mean() < 0.75 * at_random


def test_the_same_seed_gives_the_same_trials_and_another_gives_others(tmp_path):
    first, again, other = (
        run(climb, tmp_path / name, trials=13, seed=seed)
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    assert same(first, again)
    assert not same(first, other)


def test_what_falls_behind_is_stopped_early(file):
    epochs = []

    def objective(settings, report):
        epochs.append(0)
        good = len(epochs) <= 3
        for epoch in range(1, EPOCHS + 1):
            epochs[-1] = epoch
            report(epoch, epoch if good else -epoch)
        return 1.0

    found = run(objective, file, trials=6, startup=3, warmup=2)
    assert epochs == [5, 5, 5, 3, 3, 3]
    assert found.trials["epochs"].tolist() == epochs
    assert found.trials["state"].tolist() == ["finished"] * 3 + ["pruned"] * 3
    assert (
        found.trials["value"].tolist() == [1.0] * 3 + [-1.0] * 3
        or found.trials["value"].tolist() == [1.0] * 3 + [-3.0] * 3
    )
    assert found.reported.groupby("trial").size().tolist() == epochs


def test_an_interrupted_search_ends_with_the_same_trials(tmp_path):
    undisturbed = run(Plug(), tmp_path / "a.db", startup=1, warmup=0)
    plug = Plug(at=4)
    with pytest.raises(KeyboardInterrupt):
        run(plug, tmp_path / "b.db", startup=1, warmup=0)
    resumed_objective = Plug()
    resumed_objective.seen = plug.seen[:3]
    resumed = run(resumed_objective, tmp_path / "b.db", startup=1, warmup=0)
    assert len(resumed.trials) == 8
    assert same(undisturbed, resumed)
    assert resumed_objective.seen[3] == plug.seen[3]
    assert len(resumed_objective.seen) == 8


def test_an_error_of_the_objective_passes_and_its_trial_is_run_again(file):
    plug = Plug(at=2, error=LookupError("a bug"))
    with pytest.raises(LookupError, match="a bug"):
        run(plug, file)
    mended = Plug()
    assert len(run(mended, file, trials=3).trials) == 3
    assert mended.seen[0] == plug.seen[1]


KILLED = """
import os, signal, sys
from rsutils.training import Between, search
calls = []
def objective(settings, report):
    calls.append(settings)
    report(1, 0.0)
    if len(calls) == 4:
        print("in the middle", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return settings["x"]
search(objective, {"x": Between(0.0, 1.0)}, 6, sys.argv[1], seed=2, progress=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_loses_one_trial_and_nothing_else(file, tmp_path):
    space = {"x": Between(0.0, 1.0)}
    command = [sys.executable, "-c", KILLED, str(file)]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout == "in the middle\n"
    seen = []

    def objective(settings, report):
        seen.append(settings)
        report(1, 0.0)
        return settings["x"]

    resumed = run(objective, file, trials=6, space=space, seed=2)
    undisturbed = run(objective, tmp_path / "other.db", trials=6, space=space, seed=2)
    assert len(seen) == 3 + 6
    assert same(resumed, undisturbed)


def test_enough_trials_are_not_run_again(file):
    first = run(climb, file, trials=3)
    again = run(Plug(at=1), file, trials=2)
    assert first.trials.equals(again.trials)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_a_failed_trial(value, file):
    values = iter([1.0, value, 2.0])
    found = run(lambda settings, report: next(values), file, trials=3)
    assert found.trials["state"].tolist() == ["finished", "failed", "finished"]
    assert np.isnan(found.trials["value"][1])
    assert found.value == 2.0


def test_divergence_is_a_failed_trial_and_so_is_a_report_of_it(file):
    def objective(settings, report):
        turn = len(turns)
        turns.append(turn)
        if turn == 0:
            raise FloatingPointError
        if turn == 1:
            report(1, math.nan)
        return 1.0

    turns = []
    assert run(objective, file, trials=3).trials["state"].tolist() == [
        "failed",
        "failed",
        "finished",
    ]


def test_a_search_in_which_nothing_finished_says_so(file):
    with pytest.raises(ValueError, match=r"No trial finished: \{'failed': 2\}"):
        run(lambda settings, report: math.nan, file, trials=2)


class CountEpochs(keras.callbacks.Callback):
    epochs = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs += 1


def test_a_recommender_is_stopped_through_its_callbacks(file):
    rng = np.random.default_rng(0)
    log = Interactions.of(rng.integers(0, 30, 200), rng.integers(0, 20, 200))
    trained = []

    def objective(settings, report):
        count = CountEpochs()
        quality = iter(np.linspace(0, 1, 6) - len(trained))
        trained.append(count)
        score = ScoreEachEpoch("ndcg@10", lambda: next(quality))
        model = NCF(2, hidden=(), epochs=4, progress=False, **settings)
        model.fit(log, callbacks=[count, score, ReportEachEpoch(report, "ndcg@10")])
        return score.history[-1][1]

    space = {"learning_rate": Between(1e-3, 1e-1, log=True)}
    found = run(objective, file, trials=3, space=space, startup=1)
    assert [count.epochs for count in trained] == [4, 2, 2]
    assert found.trials["epochs"].tolist() == [4, 2, 2]
    assert found.trials["state"].tolist() == ["finished", "pruned", "pruned"]


def test_a_figure_that_nobody_measures_is_named():
    callback = ReportEachEpoch(print, "ndcg@10")
    with pytest.raises(KeyError, match=r"no 'ndcg@10', only loss.*before ReportEachEpoch"):
        callback.on_epoch_end(0, {"loss": 1.0})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials is 0; expected a whole number of at least 1"),
        ({"trials": 2.5}, "trials is 2.5"),
        ({"seed": -1}, "seed is -1"),
        ({"startup": -1}, "startup is -1"),
        ({"warmup": -1}, "warmup is -1"),
        ({"direction": "up"}, "direction is 'up'; expected one of maximize, minimize"),
        ({"space": {}}, "space is empty"),
        ({"space": {"l2": 0.1}}, r"space\['l2'\] is 0.1; expected Between"),
        ({"space": {"l2": "ab"}}, r"space\['l2'\] is 'ab'"),
        ({"space": {"l2": []}}, r"space\['l2'\] is \[\]"),
        ({"space": {"l2": [1, 1]}}, "choices, each once"),
    ],
)
def test_arguments_out_of_range_are_named(given, message, file):
    with pytest.raises(ValueError, match=message):
        run(climb, file, **given)
    assert not file.exists()


@pytest.mark.parametrize(
    "ends", [(1, 0), (1, 1), (0, math.nan), (0, math.inf)], ids=["order", "equal", "nan", "inf"]
)
def test_ends_out_of_order_are_refused(ends):
    with pytest.raises(ValueError, match=r"Between\(.*expected finite low < high"):
        Between(*ends)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "with seed 0; this one has 1"),
        ({"direction": "minimize"}, "with direction 'maximize'"),
        ({"space": SPACE | {"units": Between(1, 65)}}, "with space"),
        ({"warmup": 2}, "with warmup 1"),
    ],
)
def test_the_storage_of_another_search_is_refused(changed, message, file):
    run(climb, file, trials=1)
    with pytest.raises(ValueError, match=message):
        run(climb, file, **changed)


def test_a_file_that_is_no_storage_is_refused_and_left_as_it_is(file):
    file.parent.mkdir()
    for content in (b"", b"a diary"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"search\.db is no search's storage"):
            run(climb, file)
        assert file.read_bytes() == content


def test_other_peoples_databases_are_refused(tmp_path):
    with sqlite3.connect(tmp_path / "diary.db") as diary:
        diary.execute("CREATE TABLE days (day)")
    diary.close()
    with pytest.raises(ValueError, match="no such table"):
        run(climb, tmp_path / "diary.db")
    optuna.create_study(storage=f"sqlite:///{tmp_path / 'own.db'}", study_name="mine")
    with pytest.raises(ValueError, match="but no search"):
        run(climb, tmp_path / "own.db")


def test_it_shows_progress_and_keeps_optuna_quiet(file, capfd):
    before = optuna.logging.get_verbosity()
    search(climb, SPACE, 3, file, progress=True)
    shown = capfd.readouterr()
    assert "search: 100%" in shown.err
    assert "3/3" in shown.err
    assert "best" in shown.err
    assert "Trial" not in shown.err + shown.out
    assert optuna.logging.get_verbosity() == before


def test_without_optuna_all_imports_and_the_error_says_how_to_get_it(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match="pip install 'optuna"):
        run(climb, file)
    code = "import sys; sys.modules['optuna'] = None; import rsutils.training"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
