"""README shows what was measured and what is there."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rsutils import settings
from rsutils.course.lessons import find_lessons

ROOT = settings.REPOSITORY
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```python\n(.*?)```", README, re.S)
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
    exec(SCRIPTS[0], {})
    assert len(capsys.readouterr().out.splitlines()) >= 5


def test_the_pruning_example_prunes(capsys):
    exec(SCRIPTS[2], {})
    assert capsys.readouterr().out.splitlines()[-1] == "{'hidden': 0.75}"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_script_for_workers_runs_alone_and_under_horovodrun(workers, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPTS[1])
    launcher = ["horovodrun", "-np", "2", "--network-interfaces", "lo"] if workers == 2 else []
    found = subprocess.run(
        [*launcher, sys.executable, str(script)],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.count("loss:") >= workers
