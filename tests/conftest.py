"""Fixtures for all tests, and the rule that nothing is skipped silently in CI."""

import os
from pathlib import Path

import pytest

from rsutils import parallel, settings

IN_CI = bool(os.environ.get("CI"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of published data sets; without it such tests are skipped, in CI they fail."""
    home = settings.data_home()
    if home is None or not home.is_dir():
        reason = "RSUTILS_DATA names no folder of data sets"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return home


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the reader's ledger."""
    monkeypatch.setenv("RSUTILS_LEDGER", str(tmp_path / "ledger.jsonl"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole lessons come first: begun last, they would keep one worker busy alone.

    Without Horovod, on a machine where it cannot be built, tests that need it are skipped.
    """
    if not parallel.can_run(2) and not IN_CI:
        for item in items:
            if item.get_closest_marker("workers"):
                item.add_marker(pytest.mark.skip(reason="needs Horovod: make horovod"))
    items.sort(key=lambda item: item.get_closest_marker("notebook") is None)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test fails the run: what should run must run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter and reporter.stats.get("skipped"):
        reporter.write_line("CI: a skipped test counts as a failure", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
