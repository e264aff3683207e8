"""Every lesson runs with other parameters than it is committed with, and keeps its claims."""

import json

import pytest

from rsutils.course.runner import run_lesson
from tests.claims import CLAIMS, NEEDS
from tests.conftest import IN_CI
from tests.notebooks import LESSONS, NAMES


def run(lesson, tmp_path, monkeypatch, **parameters) -> list[dict]:
    """Run a lesson and return its rows of the ledger."""
    rows = tmp_path / "ledger.jsonl"
    monkeypatch.setenv("RSUTILS_LEDGER", str(rows))
    outcome = run_lesson(lesson, {"PROFILE": "quick", **parameters}, tmp_path / "executed")
    assert outcome.failure is None, outcome.failure
    return [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]


def keeps_its_claims(lesson, rows: list[dict], dataset: str) -> None:
    assert rows
    assert {row["dataset"] for row in rows} == {dataset}
    if not IN_CI and not NEEDS.get(lesson.number, lambda: True)():
        return
    systems = {row["system"]: row for row in rows}
    for claim in CLAIMS[lesson.number]:
        claim(systems)


@pytest.mark.notebook
@pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)
def test_another_seed(lesson, tmp_path, monkeypatch):
    rows = run(lesson, tmp_path, monkeypatch, SEED=7)
    keeps_its_claims(lesson, rows, "demo")


@pytest.mark.notebook
@pytest.mark.real_data
@pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)
def test_real_data(lesson, tmp_path, monkeypatch, real_data):
    rows = run(lesson, tmp_path, monkeypatch, DATASET="ml-100k")
    keeps_its_claims(lesson, rows, "ml-100k")
