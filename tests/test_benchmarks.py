import json
import os
from dataclasses import asdict, replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from benchmarks import (
    cpu_kernels,
    frappe,
    ml1m_full,
    ncf_ml1m,
    next_item,
    s3rec_beauty,
    sasrec_ml1m,
    training_speed,
)
from benchmarks.common import Benchmark, Part, System
from benchmarks.steps import step_clock
from rsutils.data import load
from rsutils.data.interactions import Interactions
from rsutils.measure import benchmark_table
from rsutils.models import NCF, MarkovChain, Popularity

KEYS = {
    *("benchmark", "system", "dataset", "hr@10", "ndcg@10"),
    *("fit_seconds", "seconds", "peak_mb", "seed", "published"),
}


class Shifted(Popularity):
    """Judged by its own setting, so that the best of a grid is known."""

    def __init__(self, shift, seed=0):
        self.shift, self.seed = shift, seed


def part():
    return Part(Interactions.of([0, 1], [0, 1]), lambda model: {"ndcg@10": 1.0 - abs(model.shift)})


def unread():
    raise AssertionError("this part must not be read")


def toy(test=part, validation=part):
    systems = {
        "shifted": System(Shifted, {"shift": 0.5}, {"shift": (-1.0, 0.25, 2.0)}, seeded=True)
    }
    return Benchmark("toy", "none", systems, test, validation)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_result_is_one_json_line_with_the_chosen_settings(capsys):
    toy(validation=unread).run(["--system", "shifted", "--seed", "3"])
    (row,) = lines(capsys)
    assert set(row) == KEYS - {"hr@10"}
    assert (row["ndcg@10"], row["seed"], row["published"]) == (0.5, 3, None)
    assert row["seconds"] >= row["fit_seconds"] >= 0
    assert row["peak_mb"] > 10


def test_tuning_tries_the_grid_and_never_reads_the_test(capsys):
    toy(test=unread).run(["--system", "shifted", "--tune"])
    *rows, best = lines(capsys)
    assert [row["settings"]["shift"] for row in rows] == [-1.0, 0.25, 2.0]
    assert best == {"system": "shifted", "best": {"shift": 0.25}}


def test_an_unknown_system_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        toy().run(["--system", "neumf"])
    assert "shifted" in capsys.readouterr().err


@pytest.mark.parametrize(
    "benchmark",
    [module.BENCHMARK for module in (ncf_ml1m, ml1m_full, frappe, sasrec_ml1m, s3rec_beauty)],
    ids=lambda b: b.name,
)
def test_chosen_settings_stand_in_the_grid_that_chose_them(benchmark):
    for system in benchmark.systems.values():
        for name, values in system.grid.items():
            assert system.chosen[name] in values


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("benchmark", "bounds"),
    [(ncf_ml1m, {"hr@10": (0.4525, 0.4545), "ndcg@10": (0.2533, 0.2553)}), (ml1m_full, {})],
    ids=["ncf_ml1m", "ml1m_full"],
)
def test_popularity_on_the_real_data(benchmark, bounds, real_data, capsys):
    benchmark.main(["--system", "popularity"])
    (row,) = lines(capsys)
    assert set(row) == KEYS
    assert 0.01 < row["ndcg@10"] < row["hr@10"] < 0.5
    for metric, (low, high) in bounds.items():
        assert low <= row[metric] <= high


@pytest.mark.real_data
@pytest.mark.parametrize("benchmark", [ncf_ml1m, ml1m_full], ids=["ncf_ml1m", "ml1m_full"])
def test_validation_comes_from_the_training_data_alone(benchmark, real_data):
    test, validation = benchmark.test().train, benchmark.validation().train
    keys = [t.user.astype(np.int64) * t.n_items + t.item for t in (test, validation)]
    assert np.isin(keys[1], keys[0]).all()
    held_out = test.take(~np.isin(keys[0], keys[1]))
    each = np.bincount(held_out.user, minlength=test.n_users)
    assert each.min() == each.max() > 0


@pytest.mark.real_data
def test_single_features_on_frappe(real_data, capsys):
    """The published figure is 0.9356; each app's share of label 1, without context, gives 0.925."""
    frappe.main(["--system", "lr"])
    (row,) = lines(capsys)
    assert set(row) == KEYS - {"hr@10", "ndcg@10"} | {"auc", "log_loss"}
    assert 0.93 < row["auc"] < 0.95
    assert 0.25 < row["log_loss"] < 0.35
    assert row["published"]["auc"] == 0.9356


@pytest.mark.real_data
def test_frappe_is_tuned_on_validation_rows(real_data):
    dataset = load("frappe")
    seen = {}

    class Copies:
        def probability(self, features):
            seen["features"] = features
            return np.linspace(0, 1, len(features))

    validation, test = frappe.validation(), frappe.test()
    for part, rows in ((validation, dataset.validation), (test, dataset.test)):
        part.evaluate(Copies())
        np.testing.assert_array_equal(seen["features"], rows.features)
        np.testing.assert_array_equal(part.train.features, dataset.train.features)
        np.testing.assert_array_equal(
            part.options["validation"].features, dataset.validation.features
        )


def test_data_that_cannot_be_had_is_said_in_a_line():
    def no_network():
        raise ConnectionError("No mirror gave ratings.dat. Put it into a folder.")

    with pytest.raises(SystemExit, match="Put it into a folder"):
        toy(test=no_network).run(["--system", "shifted"])


@pytest.mark.real_data
def test_sequence_models_are_asked_for_the_same_items_as_the_others(real_data):
    """A Markov chain that is shown the validation items does as well as one that learnt them."""

    class Shown(MarkovChain):
        def observe(self, known):
            return self.fit(known)

    part = next_item.test(sasrec_ml1m.DATASET, sasrec_ml1m.METRICS)
    model = Shown(**ml1m_full.SYSTEMS["markov"].chosen)
    found = part.evaluate(model.fit(part.train))
    committed = benchmark_table("ml1m_full").loc["markov"]
    assert found["hr@10"] == pytest.approx(committed["hr@10"], abs=1e-4)
    assert found["ndcg@10"] == pytest.approx(committed["ndcg@10"], abs=1e-4)
    keys = [t.user.astype(np.int64) * t.n_items + t.item for t in (part.train, *held_out())]
    assert not np.isin(keys[0], np.concatenate(keys[1:])).any()


def held_out():
    split = load(sasrec_ml1m.DATASET).published
    return split.validation, split.test


@pytest.fixture
def small_world(monkeypatch):
    """300 users with ten items each of their own half of the catalogue."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(300), 10)
    item = np.concatenate([rng.permutation(30)[:10] + 30 * (u % 2) for u in range(300)])
    log = Interactions.of(user, item)
    found = SimpleNamespace(published=SimpleNamespace(train=log))
    monkeypatch.setattr(training_speed, "load", lambda name: found)
    return log


def test_the_loss_is_measured_on_pairs_that_no_recipe_learns_from(small_world):
    train, rows, label = training_speed.held_out(seed=3)
    observed = set(zip(small_world.user.tolist(), small_world.item.tolist(), strict=True))
    learnt = set(zip(train.user.tolist(), train.item.tolist(), strict=True))
    asked = list(zip(rows["user"].tolist(), rows["item"].tolist(), strict=True))
    positives = {pair for pair, y in zip(asked, label[:, 0], strict=True) if y == 1}
    negatives = {pair for pair, y in zip(asked, label[:, 0], strict=True) if y == 0}
    assert positives | learnt == observed
    assert not positives & learnt
    assert not negatives & observed
    assert sorted(user for user, _ in positives) == list(range(300))


@pytest.mark.parametrize(
    "name", ["obvious", "row_sparse_adam", "fastest", "fastest_drawn_in_graph"]
)
def test_recipes_learn(name, small_world):
    recipe = replace(training_speed.RECIPES[name], learning_rate=0.03)
    row = training_speed.measure(replace(recipe, examples=min(recipe.examples, 100)), seed=0)
    assert row["validation_loss"] < 0.5
    assert row["examples_per_second"] > 0


def test_each_recipe_after_fastest_changes_one_thing_of_it():
    names = list(training_speed.RECIPES)
    fastest = asdict(training_speed.FASTEST)
    others = names[names.index("fastest") + 1 :]
    for name in others:
        recipe = asdict(training_speed.RECIPES[name])
        assert sum(recipe[key] != fastest[key] for key in fastest) == 1
    assert len(others) == 3


def test_the_clock_counts_some_steps_and_stops(small_world):
    clock = step_clock(3, 4)
    NCF(batch_size=100, epochs=50, progress=False).fit(small_world, callbacks=[clock])
    assert clock.first >= 3
    assert 4 <= clock.steps < 30
    assert clock.seconds > 0
    assert clock.params["epochs"] == 50
    assert clock.model.stop_training


def test_the_clock_counts_every_step_behind_the_first_ones():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    clock = step_clock(3)
    model.fit(np.zeros((10, 1)), np.zeros((10, 1)), batch_size=1, verbose=0, callbacks=[clock])
    assert (clock.first, clock.steps) == (3, 7)
    assert not clock.model.stop_training


@pytest.mark.parametrize("name", cpu_kernels.CASES)
def test_the_kernels_are_measured_on_systems_of_other_benchmarks(name):
    dataset, train = cpu_kernels.CASES[name]
    module, system = train.args
    assert dataset == module.BENCHMARK.dataset
    assert module.BENCHMARK.systems[system].model(seed=0, epochs=1).epochs == 1


@pytest.mark.parametrize("onednn", [False, True])
def test_the_kernels_are_chosen_before_tensorflow_loads(monkeypatch, onednn):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "unset")
    told = []

    def train(callback):
        told.append(os.environ["TF_ENABLE_ONEDNN_OPTS"])
        callback.steps, callback.seconds = 4, 0.1

    monkeypatch.setitem(cpu_kernels.CASES, "dnn", ("frappe", train))
    assert cpu_kernels.milliseconds("dnn", onednn) == 25
    assert told == [str(int(onednn))]
