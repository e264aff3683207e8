"""What several tests need to know about the committed notebooks."""

import ast

from nbformat import NotebookNode

from rsutils.course.lessons import Lesson, find_lessons

LESSONS = find_lessons()
NAMES = [lesson.name for lesson in LESSONS]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def markdown(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def imports(notebook: NotebookNode) -> str:
    """Every import statement of the notebook, to run a single cell of it alone."""
    found = []
    for cell in code_cells(notebook):
        lines = [line for line in cell.source.splitlines() if not line.startswith(("%", "!"))]
        try:
            tree = ast.parse("\n".join(lines))
        except SyntaxError:
            continue
        found += [ast.unparse(n) for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    return "\n".join(found)


def check_calls(lesson: Lesson) -> dict[str, list[tuple[str, str]]]:
    """For every check: the (tag, function name) of each call in the notebook, in order."""
    calls: dict[str, list[tuple[str, str]]] = {}
    for cell in code_cells(lesson.read()):
        tag = "solution" if "solution" in cell.metadata.get("tags", []) else "exercise"
        if cell.source.startswith(("%", "!")):
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name.startswith("check.") and isinstance(node.args[0], ast.Name):
                calls.setdefault(name.removeprefix("check."), []).append((tag, node.args[0].id))
    return calls
