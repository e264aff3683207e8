"""The benchmark of indexes: its catalogues, its measures, and a row of each family."""

import json

import numpy as np
import pytest

from benchmarks import retrieval, retrieval_systems
from benchmarks.retrieval_systems import FAMILIES, SCANS, EqualNorms, FaissFlat


@pytest.fixture
def small_factors(monkeypatch, tmp_path):
    """Factors of 150 users and 1,200 items, of which a few stand out."""
    rng = np.random.default_rng(0)
    item = (rng.standard_normal((1200, 8)) * rng.lognormal(0, 0.5, (1200, 1))).astype(np.float32)
    user = rng.standard_normal((150, 8)).astype(np.float32)
    monkeypatch.setattr(retrieval, "factors", lambda seed: (user, item))
    monkeypatch.setattr(retrieval, "QUERIES", 100)
    monkeypatch.setattr(retrieval, "TURNS", 2)
    monkeypatch.setattr(retrieval, "SECONDS", 0.001)
    return user, item


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_gives_rows(name, small_factors):
    rows = list(retrieval.measure(name, None, 0))
    assert len(rows) == max(1, len(FAMILIES[name].efforts))
    for row in rows:
        assert row["items"] == 1200
        assert row["bytes"] >= small_factors[1].nbytes
        assert all(
            row[f"{each}{s}"] > 0 for each in ("speedup", "queries_per_second") for s in ("", "_32")
        )
    finds = [row["recall@10"] for row in rows]
    assert finds == sorted(finds)
    if name in (*SCANS, "exact"):
        assert (rows[0]["system"], finds, rows[0]["recall@100"]) == (name, [1.0], 1.0)
    else:
        assert finds[-1] > 0.9
        assert rows[0]["system"] == f"{name}_{FAMILIES[name].efforts[0]}"


def test_a_made_up_catalogue_keeps_mean_covariance_and_norms():
    rng = np.random.default_rng(1)
    mixed = rng.standard_normal((5, 5)).astype(np.float32)
    item = (
        (rng.standard_normal((20_000, 5)) * rng.lognormal(0, 0.4, (20_000, 1))) @ mixed + 0.3
    ).astype(np.float32)
    made = retrieval.catalogue(item, 60_000, seed=0)
    assert (made.shape, made.dtype) == ((60_000, 5), np.float32)
    scale = np.abs(np.cov(item.T)).max()
    np.testing.assert_allclose(made.mean(axis=0), item.mean(axis=0), atol=0.03 * scale**0.5)
    np.testing.assert_allclose(np.cov(made.T), np.cov(item.T), atol=0.05 * scale)
    quantiles = [np.quantile(np.linalg.norm(each, axis=1), (0.5, 0.9)) for each in (item, made)]
    np.testing.assert_allclose(*quantiles, rtol=0.1)
    assert len(np.unique(made, axis=0)) == 60_000
    assert retrieval.catalogue(item, None, seed=0) is item


def test_recall_is_the_share_found():
    best = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    found = np.array([[4, 3, 9, -1], [8, 7, 6, 5]])
    assert retrieval.recall(best, found) == 0.75


def test_a_rate_counts_all_queries_of_a_batch(monkeypatch):
    monkeypatch.setattr(retrieval, "SECONDS", 1)
    ticks = iter(np.arange(0, 10, 0.25))
    monkeypatch.setattr(retrieval.time, "process_time", lambda: next(ticks))
    asked = []
    assert retrieval.rate(lambda q: asked.append(len(q)), np.zeros((40, 2)), 32) == 96 / 1.25
    assert asked == [32] * 3


def test_equally_long_vectors_order_items_by_inner_product():
    rng = np.random.default_rng(2)
    item, queries = (rng.standard_normal((n, 6)).astype(np.float32) for n in (800, 20))
    graph = EqualNorms(item)
    graph.set_effort(800)
    best = FaissFlat(item).search(queries, 10)
    assert retrieval.recall(best, graph.search(queries, 10)) > 0.99


def test_factors_are_learnt_once(monkeypatch, tmp_path):
    learnt = []

    class Learnt:
        user_factors_, item_factors_ = np.ones((2, 3), np.float32), np.zeros((4, 3), np.float32)

        def __init__(self, **settings):
            learnt.append(settings["seed"])

        def fit(self, table):
            return self

    class Found:
        class published:  # noqa: N801
            train = None

    monkeypatch.setattr(retrieval.settings, "BUILD", tmp_path)
    monkeypatch.setattr(retrieval, "IALS", Learnt)
    monkeypatch.setattr(retrieval, "load", lambda name: Found)
    for _ in range(2):
        user, item = retrieval.factors(7)
        assert (user.shape, item.shape) == ((2, 3), (4, 3))
    assert learnt == [7]
    assert len(list((tmp_path / "retrieval").iterdir())) == 1


def test_a_row_a_line_with_the_keys_of_other_benchmarks(small_factors, monkeypatch, capsys):
    class Here:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def submit(self, function, *arguments):
            self.found = function(*arguments)
            return self

        def result(self):
            return self.found

    monkeypatch.setattr(retrieval, "fresh_processes", Here)
    retrieval.main(["--system", "exact", "faiss_flat", "--items", "500", "--seed", "3"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["system"] for row in rows] == ["exact_of_500", "faiss_flat_of_500"]
    for row in rows:
        assert (row["benchmark"], row["dataset"]) == ("retrieval", "gowalla, made larger")
        assert (row["items"], row["seed"], row["published"]) == (500, 3, None)
        assert row["processor"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("exact", None, None), "exact"),
        (("hnsw", 64, None), "hnsw_64"),
        (("hnsw", 64, 100_000), "hnsw_64_of_100000"),
    ],
)
def test_a_system_has_one_name_in_each_catalogue(given, expected):
    assert retrieval.label(*given) == expected


def test_an_unknown_system_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        retrieval.main(["--system", "annoy"])
    assert "ivf_pq" in capsys.readouterr().err


def test_efforts_are_settings_of_the_index():
    vectors = np.random.default_rng(3).standard_normal((300, 4)).astype(np.float32)
    for name, setting in (("hnsw", "expansion"), ("ivf_pq", "probes")):
        system = retrieval_systems.FAMILIES[name].build(vectors)
        assert setting in system.index.settings
        system.set_effort(5)
        assert system.index.settings[setting] == 5
