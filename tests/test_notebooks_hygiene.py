"""What a committed notebook must and must not contain."""

import json
import re

import pytest

from rsutils.course.lessons import Lesson
from tests.notebooks import LESSONS, NAMES, code_cells, markdown, tagged

MACHINE = re.compile(r"/(?:home|root|tmp|Users|work|mnt)/|[A-Z]:\\\\|127\.0\.0\.1:\d{5}")
NOISE = re.compile(r"Warning|Traceback|oneDNN|absl::InitializeLog|cuda_|it/s\]|%\|")
LIMIT_CELLS, LIMIT_BYTES = 60, 300_000

pytestmark = pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)


def outputs(lesson: Lesson) -> list[str]:
    """Each output as text, pictures left out."""
    found = []
    for cell in code_cells(lesson.read()):
        for output in cell.outputs:
            data = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
            rest = {k: v for k, v in output.items() if k not in ("data", "metadata")}
            found.append(json.dumps([rest, data]))
    return found


def test_small(lesson: Lesson):
    assert lesson.path.stat().st_size <= LIMIT_BYTES
    assert len(lesson.read().cells) <= LIMIT_CELLS


def test_run_once_from_top_to_bottom(lesson: Lesson):
    counts = [cell.execution_count for cell in code_cells(lesson.read())]
    assert counts == list(range(1, len(counts) + 1))


def test_outputs_are_free_of_errors_noise_and_machine_paths(lesson: Lesson):
    for cell in code_cells(lesson.read()):
        assert all(output.output_type != "error" for output in cell.outputs)
        assert all(output.get("name") != "stderr" for output in cell.outputs)
    for text in outputs(lesson):
        assert not MACHINE.search(text), text[:300]
        assert not NOISE.search(text), text[:300]


def test_metadata_says_nothing_of_the_machine(lesson: Lesson):
    notebook = lesson.read()
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(set(cell.metadata) <= {"tags", "jupyter"} for cell in notebook.cells)


def test_one_parameters_cell(lesson: Lesson):
    (cell,) = tagged(lesson.read(), "parameters")
    for name in ("PROFILE", "DATASET", "SEED"):
        assert re.search(rf"^{name} = ", cell.source, re.MULTILINE)


def test_the_form_of_a_lesson(lesson: Lesson):
    text = markdown(lesson.read())
    assert text[0].startswith(f"# {lesson.number} ")
    for part in ("**Objectives**", "**Before you begin**", "**Time**"):
        assert part in text[0], part
    assert any("## References" in cell for cell in text)
    assert 2 <= len(re.findall(r"^### Your turn: ", "\n".join(text), re.MULTILINE)) <= 3


def test_objectives_return_as_take_aways(lesson: Lesson):
    text = markdown(lesson.read())
    objectives = re.findall(r"^\d\. (.+)$", text[0].split("**Objectives**")[1], re.MULTILINE)[:3]
    assert len(objectives) == 3
    ending = "\n".join(text[-3:])
    for objective in objectives:
        assert objective in ending, objective


def test_solutions_are_collapsed(lesson: Lesson):
    cells = tagged(lesson.read(), "solution")
    assert len(cells) >= 2
    assert all(cell.metadata.jupyter.source_hidden for cell in cells)


def test_something_deterministic_is_compared_by_nbval(lesson: Lesson):
    assert tagged(lesson.read(), "nbval-check-output")


def test_prose_holds_no_typed_results(lesson: Lesson):
    """Measured figures come from cells; a percentage or milliseconds in prose would go stale."""
    for cell in markdown(lesson.read())[1:]:
        prose = re.sub(r"\$[^$]*\$|`[^`]*`|\|.*\|", "", cell.split("## References")[0])
        typed = re.search(r"(?<![\d.])0?\.\d{2,}|\d ?ms\b|\d ?%", prose)
        assert not typed, f"{typed.group(0)!r} in: {cell[:80]}"


def test_formulas_are_spelt_as_they_are_read(lesson: Lesson):
    """Of two backslashes the reader sees one, and the formula breaks."""
    for cell in lesson.read().cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\\\\[a-zA-Z,]", cell.source), cell.source


def test_a_row_goes_into_the_ledger(lesson: Lesson):
    assert any("ledger.record(" in cell.source for cell in code_cells(lesson.read()))
