"""Every check accepts its notebook's solution and rejects blanks and typical wrong answers."""

import pytest

from rsutils.course.check import CHECKS
from tests.notebooks import LESSONS, check_calls, code_cells, imports
from tests.wrong_answers import WRONG_ANSWERS

USED = {name: (lesson, calls) for lesson in LESSONS for name, calls in check_calls(lesson).items()}


def define(lesson, function: str):
    """The function as the notebook defines it, with nothing but the notebook's imports around."""
    notebook = lesson.read()
    namespace: dict[str, object] = {}
    exec(imports(notebook), namespace)
    for cell in code_cells(notebook):
        if f"def {function}(" in cell.source:
            body = [line for line in cell.source.splitlines() if not line.startswith("check.")]
            exec("\n".join(body), namespace)
            return namespace[function]
    raise AssertionError(f"{lesson.name} never defines {function}")


def test_every_check_is_used_and_has_wrong_answers():
    assert set(USED) == set(CHECKS) == set(WRONG_ANSWERS)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_blank_then_solution(name):
    lesson, calls = USED[name]
    assert [tag for tag, _ in calls] == ["exercise", "solution"]
    (_, blank), (_, solution) = calls
    assert CHECKS[name](define(lesson, blank)).status == "not tried yet"
    assert CHECKS[name](define(lesson, solution)).status == "right"


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_wrong_answers_get_a_hint(name):
    assert len(WRONG_ANSWERS[name]) >= 2
    for wrong in WRONG_ANSWERS[name]:
        verdict = CHECKS[name](wrong)
        assert verdict.status == "hint", wrong
        assert len(verdict.message) > 20, wrong


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_an_answer_that_raises_is_a_hint(name):
    def broken(*arguments):
        raise KeyError("oops")

    verdict = CHECKS[name](broken)
    assert verdict.status == "hint"
    assert "KeyError" in verdict.message
