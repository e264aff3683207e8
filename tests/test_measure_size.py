"""Bytes, memory and versions."""

import sys
import zipfile

import numpy as np
import pytest

from rsutils.measure import bytes_on_disk, peak_memory, processor, versions, zipped_bytes
from rsutils.measure import environment as environment_module


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "model"
    (home / "variables").mkdir(parents=True)
    (home / "a.bin").write_bytes(b"x" * 1000)
    (home / "variables" / "b.bin").write_bytes(bytes(500))
    return home


def test_a_file_and_a_folder(folder):
    assert bytes_on_disk(folder / "a.bin") == 1000
    assert bytes_on_disk(str(folder)) == 1500


def test_links_are_not_followed(folder):
    (folder / "link").symlink_to(folder / "a.bin")
    assert bytes_on_disk(folder) == 1500


def test_zipping_is_what_zipfile_makes(folder, tmp_path):
    target = tmp_path / "by_hand.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(folder / "a.bin", "model/a.bin")
        archive.write(folder / "variables" / "b.bin", "model/variables/b.bin")
    assert zipped_bytes(folder) == target.stat().st_size


def test_zeros_shrink_and_noise_does_not(tmp_path):
    noise = np.random.default_rng(0).bytes(100_000)
    (tmp_path / "noise").write_bytes(noise)
    (tmp_path / "zeros").write_bytes(bytes(90_000) + noise[:10_000])
    assert zipped_bytes(tmp_path / "noise") > 99_000
    assert zipped_bytes(tmp_path / "zeros") < 12_000


@pytest.mark.parametrize("measure", [bytes_on_disk, zipped_bytes])
def test_nothing_there(measure, tmp_path):
    with pytest.raises(FileNotFoundError, match="missing does not exist"):
        measure(tmp_path / "missing")


def test_the_peak_is_the_largest_value_seen():
    looks = iter([5_000_000, 9_000_000, 7_000_000])
    with peak_memory(every=3600, resident=lambda: next(looks)) as memory:
        assert memory.peak_mb == 5.0
    assert (memory.before_mb, memory.peak_mb, memory.added_mb) == (5.0, 9.0, 4.0)


def test_the_thread_sees_a_peak_that_is_over_at_the_end():
    from threading import Event

    held, seen = [1_000_000], Event()

    def resident():
        if held[0] > 2_000_000:
            seen.set()
        return held[0]

    with peak_memory(every=0.001, resident=resident) as memory:
        held[0] = 8_000_000
        assert seen.wait(30)
        held[0] = 1_000_000
    assert memory.peak_mb == 8.0
    assert memory.figures() == {"peak_mb": 8.0}


def test_memory_of_a_large_array_shows():
    with peak_memory() as memory:
        block = np.ones(80_000_000, np.int8)
        assert block.sum() == 80_000_000
    assert memory.added_mb > 70
    assert memory.peak_mb > 80


def test_an_error_in_the_block_still_ends_the_watch():
    with pytest.raises(ZeroDivisionError), peak_memory() as memory:
        _ = 1 / 0
    assert memory.peak_mb >= memory.before_mb > 0


def test_a_pause_of_nothing_is_refused():
    with pytest.raises(ValueError, match="every is 0"), peak_memory(every=0):
        pass


def test_versions_leave_out_what_is_missing(monkeypatch):
    monkeypatch.setattr(environment_module, "PACKAGES", ("numpy", "no-such-package"))
    found = versions()
    assert found == {"python": sys.version.split()[0], "numpy": np.__version__}


def test_the_processor_has_the_name_that_linux_gives_it(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast 9000: second edition\n")
    assert processor(cpuinfo) == "Fast 9000: second edition"
    cpuinfo.write_text("processor\t: 0\n")
    assert processor(cpuinfo) == processor(tmp_path / "missing") != ""
