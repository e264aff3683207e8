"""A front holds what nothing beats, keeps to its budget, and survives being killed."""

import math
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsutils.training import Between, pareto_front, search, search_front

SPACE = {"units": Between(1, 64), "bits": [4, 8, 16], "hidden": [(), (8, 4)]}
AIMS = {"quality": "maximize", "bytes": "minimize"}


def sizes(settings):
    """More units and bits are better and larger; hidden layers only cost."""
    units, bits, hidden = settings["units"], settings["bits"], sum(settings["hidden"])
    return {"bytes": units * bits / 8 + hidden, "quality": 1 - 1 / units - 2.0**-bits}


class Plug:
    """``sizes`` that raises in its n-th trial and counts what it was asked."""

    def __init__(self, at=None, error=KeyboardInterrupt):
        self.at, self.error, self.seen = at, error, []

    def __call__(self, settings):
        self.seen.append(dict(settings))
        if len(self.seen) == self.at:
            raise self.error
        return sizes(settings)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "deep" / "front.db"


def run(objective, file, trials=8, space=SPACE, directions=AIMS, **more):
    return search_front(objective, space, trials, file, directions, progress=False, **more)


def same(one, other):
    return one.trials.drop(columns="seconds").equals(other.trials.drop(columns="seconds"))


def dominates(one, other):
    """By hand, for figures that are all minimised."""
    no_worse = all(a <= b for a, b in zip(one, other, strict=True))
    return no_worse and any(a < b for a, b in zip(one, other, strict=True))


def test_a_front_made_by_hand():
    table = pd.DataFrame(
        {"ndcg@10": [0.30, 0.20, 0.29, 0.20, 0.10], "bytes": [90, 40, 90, 40, 50]}, index=[*"abcde"]
    )
    directions = {"ndcg@10": "maximize", "bytes": "minimize"}
    assert pareto_front(table, directions).index.tolist() == ["a", "b", "d"]
    assert pareto_front(table, {"bytes": "minimize"}).index.tolist() == ["b", "d"]
    turned = {"ndcg@10": "minimize", "bytes": "maximize"}
    assert pareto_front(table, turned).index.tolist() == ["c", "e"]


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=20))
def test_what_is_on_a_front_is_not_dominated_and_what_is_off_is(rows):
    table = pd.DataFrame(rows, columns=["a", "b", "c"])
    table["b"] *= -1
    front = pareto_front(table, {"a": "minimize", "b": "maximize", "c": "minimize"})
    for place, row in enumerate(rows):
        assert (place in front.index) != any(dominates(other, row) for other in rows)
    pd.testing.assert_frame_equal(front, table.loc[front.index])


def test_the_front_of_a_search_is_that_of_its_trials(file):
    found = run(sizes, file, trials=40)
    assert len(found.trials) == 40
    assert (found.trials["state"] == "finished").all()
    assert found.trials["within_budget"].all()
    for _, row in found.trials.iterrows():
        assert row[["quality", "bytes"]].to_dict() == sizes(row)
    costs = np.stack([-found.trials["quality"], found.trials["bytes"]], axis=1)
    on_it = {tuple(row) for row in costs[found.points.index]}
    for row in costs:
        assert (tuple(row) in on_it) != any(dominates(other, row) for other in costs)
    assert found.points["quality"].is_monotonic_decreasing
    assert not found.points[[*SPACE]].map(repr).duplicated().any()


def test_it_searches_better_than_at_random(file):
    """Hidden layers only cost, and are left out in more than half of what is drawn by the model."""
    found = run(sizes, file, trials=60)
    assert (found.trials["hidden"][10:] == ()).mean() > 0.6


def test_what_is_above_the_budget_counts_but_is_on_no_front(file):
    found = run(sizes, file, trials=30, budget={"bytes": 30})
    assert len(found.trials) == 30
    assert (found.trials["within_budget"] == (found.trials["bytes"] <= 30)).all()
    assert (found.points["bytes"] <= 30).all()
    assert 0 < found.trials["within_budget"].sum() < 30
    steered = found.trials["within_budget"]
    assert steered[10:].mean() > steered[:10].mean()


def test_where_nothing_meets_the_budget_the_nearest_is_named(file):
    space = {"units": [3, 5, 9], "bits": [8], "hidden": [()]}
    with pytest.raises(ValueError, match=r"within the budget \{'bytes': 2\}.*bytes 3:.*'units': 3"):
        run(sizes, file, trials=12, space=space, budget={"bytes": 2})
    assert run(sizes, file.with_name("b.db"), space=space, budget={"bytes": 3}).points is not None


def test_settings_are_not_tried_twice(file):
    plug = Plug()
    found = run(plug, file, trials=30, space={"units": [1, 2], "bits": [4, 8], "hidden": [()]})
    assert len(found.trials) == 30
    assert len(plug.seen) == len({repr(settings) for settings in plug.seen}) <= 4
    assert found.trials.groupby(["units", "bits"])["bytes"].nunique().max() == 1


def test_an_interrupted_search_ends_with_the_same_trials(tmp_path):
    asked = {"trials": 25, "budget": {"bytes": 60}, "seed": 3}
    undisturbed = run(sizes, tmp_path / "a.db", **asked)
    plug = Plug(at=14)
    with pytest.raises(KeyboardInterrupt):
        run(plug, tmp_path / "b.db", **asked)
    mended = Plug()
    resumed = run(mended, tmp_path / "b.db", **asked)
    assert same(undisturbed, resumed)
    assert mended.seen[0] == plug.seen[-1]
    assert not {repr(s) for s in plug.seen[:-1]} & {repr(s) for s in mended.seen}


def test_more_trials_go_on_where_fewer_ended(tmp_path):
    run(sizes, tmp_path / "a.db", trials=11)
    turned = dict(reversed(AIMS.items()))
    again = run(sizes, tmp_path / "a.db", trials=16, directions=turned)
    assert same(again, run(sizes, tmp_path / "b.db", trials=16))
    assert len(run(Plug(at=1), tmp_path / "a.db", trials=2).trials) == 16


KILLED = """
import os, signal, sys
from rsutils.training import Between, search_front
calls = []
def objective(settings):
    calls.append(settings)
    if len(calls) == 13:
        print("in the middle", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return {"gain": settings["x"] ** 2, "bytes": settings["x"]}
aims = {"gain": "maximize", "bytes": "minimize"}
search_front(objective, {"x": Between(0.0, 1.0)}, 16, sys.argv[1], aims, {"bytes": 0.5}, seed=2,
             progress=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_loses_one_trial_and_nothing_else(file, tmp_path):
    command = [sys.executable, "-c", KILLED, str(file)]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout == "in the middle\n"
    seen = []

    def objective(settings):
        seen.append(settings)
        return {"gain": settings["x"] ** 2, "bytes": settings["x"]}

    asked = {
        "space": {"x": Between(0.0, 1.0)},
        "directions": {"gain": "maximize", "bytes": "minimize"},
        "budget": {"bytes": 0.5},
        "trials": 16,
        "seed": 2,
    }
    resumed = run(objective, file, **asked)
    assert len(seen) == 4
    assert same(resumed, run(objective, tmp_path / "other.db", **asked))


def test_divergence_is_a_failed_trial(file):
    values = iter([1.0, math.nan, math.inf, FloatingPointError, 2.0])

    def objective(settings):
        value = next(values)
        if value is FloatingPointError:
            raise value
        return {"quality": value, "bytes": 1.0}

    found = run(objective, file, trials=5, space={"x": Between(0.0, 1.0)})
    assert found.trials["state"].tolist() == ["finished", *["failed"] * 3, "finished"]
    assert found.trials["quality"].isna().tolist() == [False, True, True, True, False]
    assert found.points.index.tolist() == [4]
    with pytest.raises(ValueError, match=r"No trial finished: \{'failed': 2\}"):
        run(lambda s: {"quality": math.nan, "bytes": 1}, file.with_name("b.db"), trials=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials is 0; expected a whole number of at least 1"),
        ({"seed": -1}, "seed is -1"),
        ({"space": {}}, "space is empty"),
        ({"directions": {}}, "directions is empty"),
        ({"directions": {"bytes": "minimize"}}, "for a single aim use `search`"),
        (
            {"directions": AIMS | {"bytes": "down"}},
            r"directions\['bytes'\] is 'down'; expected one",
        ),
        ({"directions": AIMS | {"units": "minimize"}}, "figure 'units' is called like a setting"),
        ({"directions": AIMS | {"state": "minimize"}}, "figure 'state' is called like"),
        ({"budget": {"quality": 1}}, "budget names 'quality'; expected a figure that is minimised"),
        ({"budget": {"ms": 1}}, "budget names 'ms'"),
        ({"budget": {"bytes": 0}}, r"budget\['bytes'\] is 0"),
        ({"budget": {"bytes": math.nan}}, r"budget\['bytes'\] is nan"),
    ],
)
def test_arguments_out_of_range_are_named(given, message, file):
    with pytest.raises(ValueError, match=message):
        run(sizes, file, **given)
    assert not file.exists()


def test_other_figures_than_promised_are_refused(file):
    with pytest.raises(ValueError, match="returns bytes; expected a number for each of quality, b"):
        run(lambda settings: {"bytes": 1}, file)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "with seed 0; this one has 1"),
        ({"budget": {"bytes": 50}}, r"with budget \{\}; this one has \{'bytes': 50\}"),
        ({"directions": {"quality": "maximize", "bytes": "maximize"}}, "with directions"),
        ({"space": SPACE | {"units": Between(1, 65)}}, "with space"),
    ],
)
def test_the_storage_of_another_search_is_refused(changed, message, file):
    run(sizes, file, trials=1)
    with pytest.raises(ValueError, match=message):
        run(sizes, file, **changed)


def test_a_search_with_one_aim_and_one_with_several_do_not_share_a_file(file):
    run(sizes, file, trials=1)
    with pytest.raises(ValueError, match=r"holds a search with directions .* has none"):
        search(lambda settings, report: 1.0, SPACE, 1, file, progress=False)
    search(lambda settings, report: 1.0, SPACE, 1, file.with_name("b.db"), progress=False)
    with pytest.raises(
        ValueError, match=r"holds a search with direction 'maximize'; this one .* n"
    ):
        run(sizes, file.with_name("b.db"))


def test_tables_that_have_no_front_are_refused():
    table = pd.DataFrame({"a": [1.0, math.nan]})
    with pytest.raises(ValueError, match=r"no column 'b'; the table has \['a'\]"):
        pareto_front(table, {"b": "minimize"})
    with pytest.raises(ValueError, match="leave out the rows that failed"):
        pareto_front(table, {"a": "minimize"})
    assert pareto_front(table[:0], {"a": "minimize"}).empty


def test_it_shows_progress(file, capfd):
    search_front(sizes, SPACE, 3, file, AIMS)
    shown = capfd.readouterr()
    assert "3/3" in shown.err
    assert "on front" in shown.err
    assert "Trial" not in shown.err + shown.out
