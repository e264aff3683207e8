"""Sealed folders: written whole, and read only as they were written."""

import json

import pytest

from rsutils.sealed import MANIFEST, new_folder, read_sealed, seal


@pytest.fixture
def folder(tmp_path):
    with new_folder(tmp_path / "system") as draft:
        (draft / "parts").mkdir()
        (draft / "parts" / "a.bin").write_bytes(b"abc")
        (draft / "b.bin").write_bytes(b"")
        seal(draft, "system", 1, {"dataset": "demo"})
    return tmp_path / "system"


def test_manifest_says_what_was_given_and_lists_every_file(folder):
    manifest = read_sealed(folder, "system", 1)
    assert manifest["dataset"] == "demo"
    assert {name: each["bytes"] for name, each in manifest["files"].items()} == {
        "b.bin": 0,
        "parts/a.bin": 3,
    }


def change(folder, name, text):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest[name] = text
    (folder / MANIFEST).write_text(json.dumps(manifest))


DAMAGE = {
    "a changed byte": (lambda f: (f / "parts/a.bin").write_bytes(b"abd"), "a.bin changed"),
    "a longer file": (lambda f: (f / "b.bin").write_bytes(b"x"), "b.bin changed"),
    "a foreign file": (lambda f: (f / "parts/x.bin").write_bytes(b""), "x.bin does not belong"),
    "a link": (lambda f: (f / "parts/l").symlink_to(f / "b.bin"), "l does not belong"),
    "another kind": (lambda f: change(f, "kind", "index"), "is a 'index' in format 1"),
    "another format": (lambda f: change(f, "format", 2), "in format 2"),
    "a changed manifest": (lambda f: change(f, "dataset", "other"), "manifest.json changed"),
    "half a manifest": (lambda f: (f / MANIFEST).write_text('{"kind": "sys'), "is no manifest"),
    "a list": (lambda f: (f / MANIFEST).write_text("[]"), "is no manifest"),
    "files that are none": (lambda f: change(f, "files", {"b.bin": 3}), "is no manifest"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_refuses_what_is_not_as_it_was_written(folder, name):
    damage, message = DAMAGE[name]
    damage(folder)
    with pytest.raises(ValueError, match=message):
        read_sealed(folder, "system", 1)


def test_a_linked_file_is_refused_though_its_content_is_right(folder, tmp_path):
    (folder / "b.bin").rename(tmp_path / "b.bin")
    (folder / "b.bin").symlink_to(tmp_path / "b.bin")
    with pytest.raises(ValueError, match="does not belong"):
        read_sealed(folder, "system", 1)


@pytest.mark.parametrize("name", ["parts/a.bin", MANIFEST])
def test_names_what_is_missing(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name.rpartition("/")[2]):
        read_sealed(folder, "system", 1)


def test_nothing_is_overwritten_and_nothing_half_written_stays(folder, tmp_path):
    with pytest.raises(FileExistsError, match="take another"), new_folder(folder):
        pass
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / "other") as draft:
        (draft / "a").rename(draft / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["system"]
    with pytest.raises(ValueError, match="JSON"), new_folder(tmp_path / "other") as draft:
        seal(draft, "system", 1, {"quality": float("nan")})
    assert [path.name for path in tmp_path.iterdir()] == ["system"]
