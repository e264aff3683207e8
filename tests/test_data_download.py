import errno
import io
import stat
import zipfile

import pytest

from rsutils.data import download
from rsutils.data.download import fetch, unpack
from tests.data_files import Server, sha256

BODY = b"a line of data\n" * 50_000


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server().running() as server:
        yield server


def test_the_file_arrives_whole_and_alone(server, tmp_path):
    url = server.give("/data", BODY)
    target = fetch([url], sha256(BODY), tmp_path / "new" / "data")
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]


def test_the_next_mirror_is_asked_until_one_has_it_right(server, tmp_path):
    urls = [
        server.give("/broken", b"", status=500),
        server.give("/truncated", BODY[:-1], length=len(BODY)),
        server.give("/other", b"another file"),
        server.give("/right", BODY),
        server.give("/unasked", BODY),
    ]
    fetch(urls, sha256(BODY), tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == BODY
    assert server.asked == ["/broken", "/truncated", "/other", "/right"]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ({"body": b"", "status": 500}, "HTTP Error 500"),
        ({"body": b"", "status": 404}, "HTTP Error 404"),
        ({"body": BODY[:1000], "length": len(BODY)}, "truncated: 1,000 of 750,000 bytes"),
        ({"body": BODY[:-1]}, "data is not the published file: its sha256 checksum is"),
    ],
    ids=["error", "missing", "truncated", "wrong checksum"],
)
def test_a_failure_says_why_and_leaves_nothing(server, tmp_path, page, reason):
    url = server.give("/data", **page)
    with pytest.raises(ConnectionError, match=reason) as caught:
        fetch([url], sha256(BODY), tmp_path / "data")
    assert url in str(caught.value)
    assert "No mirror gave data." in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_an_older_file_alone(server, tmp_path):
    (tmp_path / "data").write_bytes(b"older")
    with pytest.raises(ConnectionError):
        fetch([f"{server.address}/nowhere"], sha256(BODY), tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == b"older"


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data"])
def test_only_http_is_fetched(url, tmp_path):
    with pytest.raises(ValueError, match="no download address"):
        fetch([url], sha256(BODY), tmp_path / "data")


def test_a_server_that_never_stops_is_left(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", len(BODY) - 1)
    with pytest.raises(ConnectionError, match="more than 749,999 bytes"):
        fetch([server.give("/data", BODY)], sha256(BODY), tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


class Failing(io.RawIOBase):
    """A file that takes one chunk and then raises."""

    def __init__(self, error):
        self.error, self.chunks = error, 0

    def writable(self):
        return True

    def write(self, chunk):
        self.chunks += 1
        if self.chunks > 1:
            raise self.error
        return len(chunk)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OSError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["full disk", "interrupted"],
)
def test_a_full_disk_or_an_interrupt_leaves_nothing(server, tmp_path, monkeypatch, error, raised):
    urls = [server.give("/data", BODY), server.give("/mirror", BODY)]
    monkeypatch.setattr(type(tmp_path), "open", lambda *_: Failing(error))
    with pytest.raises(raised) as caught:
        fetch(urls, sha256(BODY), tmp_path / "data")
    monkeypatch.undo()
    assert server.asked == ["/data"]
    assert list(tmp_path.iterdir()) == []
    if raised is OSError:
        assert caught.value.errno == errno.ENOSPC
        assert str(tmp_path / "data") in str(caught.value)


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_unpack_makes_the_archives_folder_the_target(tmp_path):
    archive = make_zip(tmp_path / "x", [("set/a", b"1"), ("set/deep/b", b"2"), ("rest", b"3")])
    unpack(archive, tmp_path / "home" / "target", root="set")
    assert contents(tmp_path / "home") == ["target", "target/a", "target/deep", "target/deep/b"]
    assert (tmp_path / "home" / "target" / "deep" / "b").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["../out", "set/../../out", "/out", "..\\out", "C:/out"])
def test_paths_that_lead_outside_are_refused(name, tmp_path):
    archive = make_zip(tmp_path / "x", [("set/a", b"1"), (name, b"evil")])
    with pytest.raises(ValueError, match=r"a path outside the folder.*not unpacked"):
        unpack(archive, tmp_path / "home" / "deep" / "target", root="set")
    assert contents(tmp_path) == ["home", "home/deep", "x"]


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("set/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = make_zip(tmp_path / "x", [("set/a", b"1"), (link, b"/etc")])
    with pytest.raises(ValueError, match="a link, 'set/link'"):
        unpack(archive, tmp_path / "target", root="set")
    assert contents(tmp_path) == ["x"]


def test_a_bomb_is_refused(tmp_path):
    archive = make_zip(tmp_path / "x", [("set/a", bytes(10_000)), ("set/b", bytes(10_000))])
    with pytest.raises(ValueError, match="unpacks to 20,000 bytes, more than 19,999"):
        unpack(archive, tmp_path / "target", root="set", limit=19_999)
    unpack(archive, tmp_path / "target", root="set", limit=20_000)
    assert contents(tmp_path / "target") == ["a", "b"]


def test_a_damaged_archive_is_refused(tmp_path):
    archive = make_zip(tmp_path / "x", [("set/a", BODY)])
    data = bytearray(archive.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 100] = bytes(100)
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=str(archive)):
        unpack(archive, tmp_path / "target", root="set")
    assert contents(tmp_path) == ["x"]


def test_what_is_no_archive_or_lacks_the_folder_is_refused(tmp_path):
    (tmp_path / "page").write_bytes(b"<html>Not found</html>")
    with pytest.raises(ValueError, match="page is no zip archive"):
        unpack(tmp_path / "page", tmp_path / "target")
    archive = make_zip(tmp_path / "zip", [("other/a", b"1")])
    with pytest.raises(ValueError, match="has no folder 'set'"):
        unpack(archive, tmp_path / "target", root="set")
    assert contents(tmp_path) == ["page", "zip"]


def test_a_full_disk_while_unpacking_leaves_nothing(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / "x", [("set/a", b"1"), ("set/b", b"2")])

    def fail(source, copy):
        copy.write(source.read(1))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", fail)
    with pytest.raises(OSError, match="No space left"):
        unpack(archive, tmp_path / "target", root="set")
    assert contents(tmp_path) == ["x"]


def test_the_copy_of_a_quicker_process_stays(tmp_path):
    archive = make_zip(tmp_path / "x", [("set/a", b"1")])
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "a").write_bytes(b"theirs")
    unpack(archive, tmp_path / "target", root="set")
    assert (tmp_path / "target" / "a").read_bytes() == b"theirs"
    assert contents(tmp_path) == ["target", "target/a", "x"]
