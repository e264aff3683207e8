"""The lock, the environments made from it, and Horovod's wheel."""

import importlib.util
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from rsutils import settings

ROOT = settings.REPOSITORY
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def tool(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def locked(name: str) -> dict[str, list[str]]:
    """Versions of each package in a lock file."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", text, re.M):
        found.setdefault(package.lower().replace("_", "-"), []).append(version)
    return found


def test_every_direct_requirement_is_locked_within_its_range():
    extras = PYPROJECT["project"]["optional-dependencies"]
    lines = PYPROJECT["project"]["dependencies"] + [
        line for extra in ("course", "serve", "horovod", "test", "bench") for line in extras[extra]
    ]
    versions = locked("lock")
    for line in lines:
        requirement = Requirement(line)
        assert requirement.name in versions, requirement
        assert all(requirement.specifier.contains(v) for v in versions[requirement.name]), line


@pytest.mark.parametrize("extra", ["spark", "gpu", "site"])
def test_extras_never_move_the_main_lock(extra):
    main, more = locked("lock"), locked(extra)
    shared = main.keys() & more.keys()
    assert "tensorflow" in shared
    assert {name: more[name] for name in shared} == {name: main[name] for name in shared}


@pytest.mark.parametrize("name", ["lock", "spark", "gpu", "site", "uv", "horovod"])
def test_every_locked_package_has_a_hash(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


def test_conda_users_get_the_same_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements/lock.txt"]
    assert f"python{PYPROJECT['project']['requires-python']}" in conda


def test_setup_takes_the_pythons_that_pyproject_names():
    setup = tool("setup_environment")
    allowed = SpecifierSet(PYPROJECT["project"]["requires-python"])
    for minor in range(8, 20):
        inside = setup.OLDEST <= (3, minor) <= setup.NEWEST
        assert inside == allowed.contains(f"3.{minor}.1")


def test_no_python_in_range_says_what_to_do(monkeypatch):
    setup = tool("setup_environment")
    monkeypatch.setattr(setup, "python_version", lambda command: (3, 9))
    with pytest.raises(setup.SetupError, match=r"3\.11.*make PYTHON="):
        setup.find_python()


def test_setup_does_nothing_when_nothing_changed(monkeypatch, tmp_path):
    setup = tool("setup_environment")
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(setup, "environment_python", lambda: tmp_path)
    steps = []
    for name in ("create_venv", "install_packages", "install_horovod"):
        monkeypatch.setattr(setup, name, lambda name=name: steps.append(name))
    assert setup.main() == 0
    assert setup.main() == 0
    assert steps == ["create_venv", "install_packages", "install_horovod"]
    monkeypatch.setattr(setup, "fingerprint", lambda: "another lock")
    assert setup.main() == 0
    assert len(steps) == 6


def test_a_failing_step_leaves_no_stamp(monkeypatch, tmp_path, capsys):
    setup = tool("setup_environment")
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(setup, "create_venv", lambda: None)

    def fail():
        raise setup.SetupError("no network; set HTTPS_PROXY")

    monkeypatch.setattr(setup, "install_packages", fail)
    assert setup.main() == 1
    assert "HTTPS_PROXY" in capsys.readouterr().err
    assert not (tmp_path / "stamp").exists()


def test_without_horovod_setup_goes_on(monkeypatch, capsys):
    setup = tool("setup_environment")
    monkeypatch.setattr(setup, "environment_python", lambda: "false")
    monkeypatch.setattr(setup.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1))
    setup.install_horovod()
    assert "going on without Horovod" in capsys.readouterr().out


def test_horovod_needs_a_compiler_and_says_so(monkeypatch):
    build = tool("build_horovod")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(build.BuildError, match=r"no-such-compiler.*apt-get install g\+\+"):
        build.require_compiler()


def test_only_the_broken_source_is_dropped(tmp_path):
    build = tool("build_horovod")
    listing = tmp_path / "horovod" / "tensorflow" / "CMakeLists.txt"
    listing.parent.mkdir(parents=True)
    listing.write_text("mpi_ops.cc\nxla_mpi_ops.cc\n")
    build.drop_broken_source(tmp_path)
    assert listing.read_text() == "mpi_ops.cc\n"
    with pytest.raises(build.BuildError, match="expected one line"):
        build.drop_broken_source(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="Horovod is built on Linux")
def test_two_workers_agree_on_a_sum(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        "import rsutils, tensorflow as tf, horovod.tensorflow as hvd\n"
        "hvd.init()\n"
        "total = hvd.allreduce(tf.constant([1.0 + hvd.rank()]), op=hvd.Sum)\n"
        "print('sum', float(total[0]), 'of', hvd.size(), flush=True)\n"
    )
    command = [sys.executable, "-m", "horovod.runner.launch", "-np", "2", "--gloo"]
    result = subprocess.run(
        [*command, sys.executable, str(script)], capture_output=True, text=True, timeout=300
    )
    assert result.stdout.count("sum 3.0 of 2") == 2, result.stdout + result.stderr
