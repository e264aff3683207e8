"""Run lessons in order through papermill and say which cell failed."""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from papermill import PapermillExecutionError, execute_notebook
from traitlets.config import Config

from rsutils import settings
from rsutils.course.lessons import Lesson
from rsutils.measure import ledger

KERNEL = Config() if sys.platform == "win32" else Config(KernelManager={"transport": "ipc"})
"""Kernels talk through files of this user where they can, not through ports that others see."""


@dataclass(frozen=True)
class Outcome:
    """How one lesson ended.

    Attributes:
        lesson: which one.
        seconds: wall-clock time.
        failure: the cell and the error, or None where every cell ran.
    """

    lesson: Lesson
    seconds: float
    failure: str | None = None


def run_lesson(lesson: Lesson, parameters: Mapping[str, object], folder: Path) -> Outcome:
    """Execute one lesson into ``folder``; an error in a cell is reported, not raised.

    Rows that earlier runs of the lesson wrote into the ledger are replaced.

    Args:
        lesson: the lesson; its file stays as it is.
        parameters: replace those of the cell tagged ``parameters``.
        folder: gets the executed notebook, also where a cell failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledger.forget(lesson.number)
    started = time.perf_counter()
    failure = None
    try:
        execute_notebook(
            lesson.path,
            folder / lesson.path.name,
            parameters=dict(parameters),
            cwd=lesson.path.parent,
            kernel_name="python3",
            progress_bar=sys.stderr.isatty(),
            config=KERNEL,
            execution_timeout=3600 if parameters.get("PROFILE") == "quick" else None,
        )
    except PapermillExecutionError as error:
        failure = f"cell {error.cell_index} (In [{error.exec_count}]): {error.ename}: "
        failure += error.evalue
    except Exception as error:  # a dead kernel or an unreadable file must not stop the others
        failure = f"no cell: {type(error).__name__}: {error}"
    return Outcome(lesson, time.perf_counter() - started, failure)


def run_course(lessons: list[Lesson], parameters: Mapping[str, object]) -> list[Outcome]:
    """Run ``lessons`` in order, go on after a failing one, and print how each ended.

    Executed notebooks and ``ledger.jsonl`` lie in the build folder afterwards.
    """
    settings.BUILD.mkdir(parents=True, exist_ok=True)
    os.environ["RSUTILS_LEDGER"] = str(ledger.path())
    outcomes = []
    for position, lesson in enumerate(lessons, 1):
        head = f"[{position}/{len(lessons)}] {lesson.name}"
        print(f"{head} ...", flush=True)
        outcome = run_lesson(lesson, parameters, settings.BUILD / "notebooks")
        verdict = f"FAILED in {outcome.failure}" if outcome.failure else "ok"
        print(f"{head} {verdict} ({outcome.seconds:.0f} s)", flush=True)
        outcomes.append(outcome)
    return outcomes


def summary(outcomes: list[Outcome]) -> str:
    """The ledger's table, then what failed and where the executed notebooks lie."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    lines = [ledger.as_text(), ""]
    lines += [f"FAILED {outcome.lesson.name}: {outcome.failure}" for outcome in failed]
    lines.append(
        f"{len(outcomes) - len(failed)} of {len(outcomes)} lessons ran; executed notebooks and "
        f"the ledger are in {os.path.relpath(settings.BUILD)}/"
    )
    return "\n".join(lines)
