"""README shows what was measured and what is there."""

import importlib.util
import re

from rsutils import settings
from rsutils.course.lessons import find_lessons

ROOT = settings.REPOSITORY
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def refresher():
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "tools" / "refresh_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_tables_are_up_to_date():
    assert refresher().renewed(README) == README


def test_every_lesson_is_listed():
    assert all(f"notebooks/{lesson.path.name}" in README for lesson in find_lessons())


def test_every_link_and_picture_leads_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    for target in targets:
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_every_make_command_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert set(re.findall(r"\bmake ([a-z][a-z-]*)", text)) <= targets


def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(code, {})
    assert len(capsys.readouterr().out.splitlines()) >= 5
