"""The course runner, its command line, the doctor, and the checks' verdicts."""

import json
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest

from rsutils import __main__ as command_line
from rsutils import settings
from rsutils.course import doctor, runner
from rsutils.course.check.verdict import NotTriedError, answer, check
from rsutils.course.lessons import NOTEBOOKS, Lesson, find_lessons


def lesson(folder, name: str, *cells: str) -> Lesson:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    parameters = nbformat.v4.new_code_cell("PROFILE = 'quick'\nDATASET = 'demo'\nSEED = 1")
    parameters.metadata["tags"] = ["parameters"]
    notebook.cells = [parameters, *map(nbformat.v4.new_code_cell, cells)]
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return Lesson(path)


RECORD = """
from rsutils.measure import ledger
ledger.record("{}", "popularity", DATASET, PROFILE, **{{"hr@10": 0.5}})
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    folder = tmp_path / "build"
    monkeypatch.setattr(settings, "BUILD", folder)
    monkeypatch.setenv("RSUTILS_LEDGER", str(folder / "ledger.jsonl"))
    return folder


def test_a_failing_lesson_is_named_with_its_cell_and_the_others_run(tmp_path, build, capsys):
    lessons = [
        lesson(tmp_path, "01_good", RECORD.format("01")),
        lesson(tmp_path, "02_bad", "x = 1", "raise ValueError('no such film')"),
        lesson(tmp_path, "03_good", RECORD.format("03")),
    ]
    outcomes = runner.run_course(lessons, {"PROFILE": "quick", "DATASET": "ml-100k"})
    assert [bool(outcome.failure) for outcome in outcomes] == [False, True, False]
    printed = capsys.readouterr().out
    assert "[2/3] 02_bad FAILED in cell 3" in printed
    assert "ValueError: no such film" in printed
    text = runner.summary(outcomes)
    assert "FAILED 02_bad: cell 3" in text
    assert "2 of 3 lessons ran" in text
    assert "popularity" in text
    rows = [json.loads(line) for line in (build / "ledger.jsonl").read_text().splitlines()]
    assert [(row["lesson"], row["dataset"]) for row in rows] == [
        ("01", "ml-100k"),
        ("03", "ml-100k"),
    ]
    assert (build / "notebooks" / "02_bad.ipynb").exists()


def test_a_dead_kernel_or_a_damaged_file_does_not_stop_the_others(tmp_path, build):
    damaged = Lesson(tmp_path / "02_damaged.ipynb")
    damaged.path.write_text("{")
    lessons = [
        lesson(tmp_path, "01_dies", "import os; os._exit(1)"),
        damaged,
        lesson(tmp_path, "03_good", RECORD.format("03")),
    ]
    outcomes = runner.run_course(lessons, {"PROFILE": "quick"})
    assert "DeadKernelError" in outcomes[0].failure
    assert outcomes[1].failure
    assert outcomes[2].failure is None


def test_running_a_lesson_again_replaces_its_rows(tmp_path, build):
    one = lesson(tmp_path, "01_good", RECORD.format("01"))
    for _ in range(2):
        runner.run_course([one], {"PROFILE": "quick"})
    assert len((build / "ledger.jsonl").read_text().splitlines()) == 1


def test_the_command_line_fails_where_a_lesson_fails(tmp_path, build, monkeypatch, capsys):
    outcome = runner.Outcome(Lesson(tmp_path / "02_x.ipynb"), 1.0, "cell 3 (In [2]): KeyError: 1")
    monkeypatch.setattr(runner, "run_course", lambda lessons, parameters: [outcome])
    assert command_line.main(["course", "0"]) == 1
    assert "FAILED 02_x: cell 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["course", "77"], "There is no lesson '77'; there are: 00_start_here"),
        (["course", "--dataset", "ml100k"], "Did you mean 'ml-100k'"),
        (["course", "--profile", "fast"], "PROFILE is 'fast'; expected one of quick, full"),
        (["course", "--seed", "many"], "SEED is 'many'; expected a whole number"),
    ],
)
def test_wrong_calls_are_refused_before_anything_runs(arguments, says, capsys):
    assert command_line.main(arguments) == 2
    assert says in capsys.readouterr().err


def test_the_full_profile_runs_on_real_data(monkeypatch, capsys, build):
    seen = {}
    monkeypatch.setattr(runner, "run_course", lambda lessons, given: seen.update(given) or [])
    command_line.main(["course", "--profile", "full"])
    assert seen == {"PROFILE": "full", "DATASET": "ml-1m"}
    seen.clear()
    command_line.main(["course", "--profile", "full", "--dataset", "demo", "--seed", "3"])
    assert seen == {"PROFILE": "full", "DATASET": "demo", "SEED": 3}


def test_lessons_are_found_by_number_or_name():
    first = find_lessons()[0]
    assert first.path.parent == NOTEBOOKS
    for key in ("0", "00", first.name, f"notebooks/{first.name}.ipynb"):
        assert find_lessons([key]) == [first]


def test_the_doctor_runs_and_says_ok():
    result = subprocess.run(
        [sys.executable, "-m", "rsutils", "doctor"], capture_output=True, text=True, timeout=120
    )
    lines = result.stdout.splitlines()
    assert len(lines) == len(doctor.EXAMINATIONS)
    assert result.returncode == 0, result.stdout
    assert sum(line.startswith("OK") for line in lines) >= 6
    assert result.stderr == ""


def test_the_doctor_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.settings, "DEMO_WORLD", tmp_path / "nothing")
    assert str(doctor.demo_world()) == "FAIL demo world: missing: make demo-world"
    monkeypatch.setenv("RSUTILS_DATA", str(tmp_path))
    assert not doctor.real_data().ok
    assert doctor.program("no-such-program", "x", "apt-get install it")().detail.startswith("apt")
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: ["numpy>=99"])
    assert "numpy" in doctor.packages("").detail
    monkeypatch.setitem(sys.modules, "horovod", None)
    assert "make horovod" in doctor.horovod().detail
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert re.search(r"lesson 09 uses pandas; .*(openjdk-17|spark\.txt)", doctor.spark().detail)


def test_the_doctor_asks_the_redis_that_is_named_and_shows_no_password(monkeypatch):
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert doctor.redis().ok
    monkeypatch.setenv("REDIS_URL", "redis://:secret@127.0.0.1:1/0")
    finding = doctor.redis()
    assert str(finding).startswith("--   Redis: Redis at redis://127.0.0.1:")
    monkeypatch.setenv("REDIS_URL", "http://:secret@127.0.0.1")
    assert "expected redis://" in doctor.redis().detail
    assert "secret" not in finding.detail + doctor.redis().detail
    monkeypatch.setitem(sys.modules, "rsutils.serve.store.redis_store", None)
    assert not doctor.redis().ok


def test_blanks_are_not_tried_and_errors_do_not_escape():
    for blank in (None, ..., lambda x: None, lambda x: ...):
        with pytest.raises(NotTriedError):
            answer(blank, 1)


def test_a_learner_cannot_change_the_check_s_arrays():
    def examine(attempt):
        given = np.zeros(2)
        answer(attempt, given)
        return None if given.sum() == 0 else "changed"

    def spoils(array):
        array += 1
        return array

    from rsutils.course.check import CHECKS

    verdict = check(examine)(spoils)
    CHECKS.pop("test_course.examine")
    assert verdict
    assert verdict._repr_html_().count("right") == 1
