"""What is collected for the web pages; Sphinx itself belongs to the ``site`` extra."""

import ast
import re

import nbformat
import pytest

from rsutils.course.lessons import find_lessons
from tests.test_setup import tool


@pytest.fixture
def pages(tmp_path, monkeypatch):
    site = tool("build_site")
    monkeypatch.setattr(site, "SOURCE", tmp_path / "source")
    site.collect()
    return tmp_path / "source"


def test_every_lesson_stands_in_the_contents(pages):
    contents = re.search(r"```\{toctree\}\n(.*?)```", (pages / "index.md").read_text(), re.S)[1]
    for lesson in find_lessons():
        assert f"notebooks/{lesson.name}" in contents
    for name in re.findall(r"^\w.*$", contents, re.MULTILINE):
        assert list(pages.glob(f"{name}.*")), name


def test_solutions_are_folded_and_outputs_kept(pages):
    for lesson in find_lessons():
        shown = nbformat.read(pages / "notebooks" / lesson.path.name, 4)
        assert [c.get("outputs") for c in shown.cells] == [
            c.get("outputs") for c in lesson.read().cells
        ]
        for cell in shown.cells:
            tags = cell.metadata.get("tags", [])
            assert ("solution" in tags) == ("hide-input" in tags)


def test_the_configuration_is_python(pages):
    names = [node.targets[0].id for node in ast.parse((pages / "conf.py").read_text()).body]
    assert {"extensions", "html_theme", "nb_execution_mode"} <= set(names)
