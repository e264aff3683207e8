"""The benchmarks of several workers: small runs of their jobs, and what their rows say."""

import json

import pytest

from benchmarks import allreduce, allreduce_job, scaling, scaling_job
from rsutils import parallel
from rsutils.measure import benchmark_rows, benchmark_table
from rsutils.parallel.cost import Network, SharedNetwork

NETWORK = SharedNetwork(Network(2e-5, 1e-9, 5e-4), cores=2)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_scaling_prints_medians_of_ratios_of_the_same_turn(monkeypatch, capsys):
    def ran(function, arguments, num_proc, **options):
        assert arguments[1] == 32_768
        turns = {"together": [50.0, 70.0, 90.0], "apart": [100.0, 100.0, 100.0]}
        return [{**turns, "ms_in_exchange": 1.0 + rank, "kb_sent": 2.0} for rank in range(num_proc)]

    monkeypatch.setattr(parallel, "run", ran)
    scaling.main(["--system", "sharded_32768_rows", "--seed", "5"])
    (row,) = lines(capsys)
    assert (row["system"], row["seed"], row["published"]) == ("sharded_32768_rows", 5, None)
    assert (row["batch"], row["examples_per_second"]) == (32_768, 140)
    assert (row["efficiency"], row["of_ceiling"], row["ms_in_exchange"]) == (1.0, 0.7, 1.5)


def test_every_way_names_a_table_and_known_options():
    for name, way in scaling.WAYS.items():
        assert name.split("_")[0] == way["table"]
    assert list(scaling.WAYS)[:3] == ["dense", "sparse", "sharded"]


@pytest.mark.real_data
@pytest.mark.usefixtures("real_data")
@pytest.mark.workers
def test_workers_of_scaling_train_on_gowalla():
    for name in ("sharded", "dense", "sparse"):
        way = scaling.WAYS[name]
        found = parallel.run(
            scaling_job.train, [way, 64, 2, 3, 0], num_proc=2, output=None, timeout=300
        )
        for worker in found:
            assert len(worker["together"]) == len(worker["apart"]) == 3
            assert min(worker["together"] + worker["apart"]) > 0
            assert worker["ms_in_exchange"] > 0
            assert worker["kb_sent"] > (100 if name == "dense" else 1)


def test_the_cost_model_is_judged_on_what_it_was_not_fitted_to(monkeypatch, capsys):
    cases = [(n, b) for n in allreduce.WORKERS for b in allreduce.SIZES]
    monkeypatch.setattr(
        allreduce,
        "measured",
        lambda: {case: NETWORK.ring_allreduce(case[1], case[0]) for case in cases},
    )
    monkeypatch.setattr(allreduce.os, "sched_getaffinity", lambda process: {0, 1})
    allreduce.main([])
    rows = lines(capsys)
    errors = [row["held_out_error"] for row in rows if row["held_out_error"] is not None]
    assert len(rows) == len(cases)
    assert len(errors) > len(cases) / 2
    assert max(errors) < 0.01


@pytest.mark.workers
def test_workers_of_allreduce_measure_each_size():
    sizes = [1024, 65536]
    for worker in parallel.run(allreduce_job.seconds_of, [sizes, 3], num_proc=2, output=None):
        assert list(worker) == sizes
        assert all(0 < seconds < 5 for seconds in worker.values())


def test_the_committed_cost_model_predicts_what_it_was_not_fitted_to():
    rows = benchmark_rows("allreduce")
    assert set(rows.system) == {f"{n}_workers" for n in range(2, 9)}
    assert rows.n_bytes.min() == 1 << 10
    assert rows.n_bytes.max() == 1 << 26
    assert rows.held_out_error.max() <= 0.25
    assert rows.held_out_error.median() <= 0.1


def test_the_committed_table_of_scaling_shows_every_way():
    table = benchmark_table("scaling")
    assert list(table.index) == list(scaling.WAYS)
    assert table.loc["sharded", "of_ceiling"] >= 0.9
    assert table.loc["sharded", "of_ceiling"] > table.loc["sparse", "of_ceiling"] > 0.75
    assert table.loc["dense", "kb_sent"] > table.loc["sparse", "kb_sent"]
