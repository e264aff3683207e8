"""The rows of all lessons: the reader's, and those that come with the course."""

import json

import pytest

from rsutils.course import whole_ledger as module
from rsutils.course.lessons import find_lessons
from rsutils.course.whole_ledger import COMMITTED, keep_ledger, whole_ledger
from rsutils.measure import ledger


def test_every_lesson_is_committed_and_nothing_of_the_machine():
    text = COMMITTED.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert {row["lesson"] for row in rows} == {lesson.number for lesson in find_lessons()}
    assert {(row["dataset"], row["profile"]) for row in rows} == {("demo", "quick")}
    assert "versions" not in text
    assert "/" not in text


def test_own_rows_take_the_place_of_a_whole_lesson():
    committed = whole_ledger()
    assert set(committed.run) == {"committed"}
    ledger.record("02", "mine", "demo", "quick", **{"ndcg@10": 0.5})
    ledger.record("03", "elsewhere", "ml-100k", "quick", **{"ndcg@10": 0.5})
    found = whole_ledger()
    assert found[found.lesson == "02"].system.tolist() == ["mine"]
    assert found[found.lesson == "02"].run.tolist() == ["yours"]
    assert "elsewhere" not in set(found.system)
    others = committed[committed.lesson != "02"]
    assert found[found.lesson != "02"].system.tolist() == others.system.tolist()
    assert found.lesson.is_monotonic_increasing
    real = whole_ledger("ml-100k")
    assert real[real.run == "yours"].system.tolist() == ["elsewhere"]


def test_the_last_row_of_a_system_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "COMMITTED", tmp_path / "kept.jsonl")
    with pytest.raises(ValueError, match="run make course first"):
        keep_ledger()
    for value in (0.1, 0.2):
        ledger.record("02", "twice", "demo", "quick", **{"ndcg@10": value})
    ledger.record("01", "once", "demo", "quick", mine=[1, 2])
    ledger.record("01", "real", "ml-100k", "quick")
    keep_ledger()
    rows = [json.loads(line) for line in module.COMMITTED.read_text().splitlines()]
    assert [row["system"] for row in rows] == ["once", "twice"]
    assert rows[1]["ndcg@10"] == 0.2
    assert rows[0]["mine"] == [1, 2]
    assert not any("versions" in row for row in rows)
