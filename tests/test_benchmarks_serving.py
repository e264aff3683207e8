"""The benchmark of the service, on a small system."""

import json

import pytest

from benchmarks import serving
from rsutils.serve import Engine
from tests.small_system import N_USERS, small_system


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_system(tmp_path_factory.mktemp("models") / "small-0")


def test_the_mix_is_what_it_says(folder):
    engine = Engine(folder)
    cold = serving.mix(engine, "int8", "cold", seed=0)
    warm = serving.mix(engine, "int8", "warm", seed=0)
    for mix in (cold, warm):
        share = {
            kind: sum(each.path.startswith(kind) for each in mix) / len(mix)
            for kind in ("/recommend", "/events", "/similar")
        }
        assert share["/recommend"] == pytest.approx(0.85, abs=0.02)
        assert share["/events"] == pytest.approx(0.1, abs=0.02)
    bodies = [json.loads(each.body) for each in cold if each.path == "/recommend"]
    assert all(len(each["blocked"]) == 1 and each["k"] == 10 for each in bodies)
    asked = {each.path for each in warm if each.path.startswith("/recommend?")}
    assert len(asked) <= N_USERS
    assert all("k=10&variant=int8" in path for path in asked)
    assert len({each.body for each in cold}) > 10 * len(asked)


def test_a_row_of_each_cache(folder, monkeypatch, capsys):
    monkeypatch.setattr(serving, "find_or_build", lambda *_, **__: folder)
    for name, value in {"TRIAL": 0.5, "STEPS": 3, "TURNS": 1, "REPEATS": 20}.items():
        monkeypatch.setattr(serving, name, value)
    serving.main(["--system", "int8_cold", "int8_warm"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["system"] for row in rows] == ["int8_cold", "int8_warm"]
    for row in rows:
        assert row["benchmark"] == "serving"
        assert row["closed_rps"] > 10
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["engine_ms"] > 0
        assert row["bytes"] > 0
        assert 0 < row["ndcg@10"] <= 1
