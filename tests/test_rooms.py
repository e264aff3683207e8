"""The house: rooms import one way only, and stay small."""

import ast
from pathlib import Path

import pytest

from rsutils import settings

PACKAGE = settings.REPOSITORY / "rsutils"
ROOMS = [
    "settings",
    "quiet",
    "lazy",
    "sealed",
    "data",
    "evaluate",
    "training",
    "models",
    "parallel",
    "compress",
    "serve",
    "measure",
    "course",
]
SOURCES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "rsutils" and len(parts) > 1 and parts[1] in ROOMS:
                rooms.add(parts[1])
    return rooms


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_from_rooms_before(path):
    if room(path) in ("__init__", "__main__"):
        return
    here = ROOMS.index(room(path))
    later = {name for name in imported_rooms(path) if ROOMS.index(name) > here}
    assert not later, f"{path.name} imports from a later room"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_small_enough_to_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 260
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.body:
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            body = node.body[1:] if documented else node.body
            length = node.end_lineno - (body[0].lineno if body else node.end_lineno) + 1
            assert length <= 45, f"{path.name}: {node.name} has {length} lines"
