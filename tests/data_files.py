"""Tiny data sets in the published layouts, and a server that gives or withholds them."""

import contextlib
import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rsutils.data.entry import Entry, File
from rsutils.data.readers.lightgcn import read_gowalla
from rsutils.data.readers.movielens import read_ml_100k

GENRES = "|".join("0" * 5 + "1" + "0" * 13)
ML_100K = {
    "u.data": b"1\t2\t5\t881250949\n2\t1\t3\t891717742\n2\t3\t1\t878887116\n",
    "u.item": (
        f"1|Toy Story (1995)|01-Jan-1995|||{GENRES}\n"
        f"2|Mis\xe9rables, Les (1995)|01-Jan-1995||http://x|{GENRES}\n"
        f"3|unknown||||1{GENRES[1:]}\n"
    ).encode("latin-1"),
    "u.user": b"1|24|M|technician|85711\n2|53|F|other|94043\n",
}
GOWALLA = {"train.txt": b"0 0 1\n1 2\n", "test.txt": b"0 2\n1 0\n"}


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def zipped(files, root):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            # ZipInfo's date is fixed: two processes that build the archive get the same bytes.
            archive.writestr(zipfile.ZipInfo(f"{root}/{name}"), data)
    return buffer.getvalue()


def archive_entry(urls, data):
    """A tiny ml-100k whose archive is ``data``, downloaded from ``urls``."""
    files = tuple(File(name, sha256(content)) for name, content in ML_100K.items())
    return Entry(
        name="ml-100k",
        reader=read_ml_100k,
        licence="test",
        source="a test",
        citation="",
        users=2,
        items=3,
        rows=(3,),
        files=files,
        archive=File("ml-100k.zip", sha256(data), tuple(urls)),
    )


def files_entry(base):
    """A tiny gowalla whose files lie under the address ``base``."""
    files = tuple(
        File(name, sha256(content), (f"{base}/{name}",)) for name, content in GOWALLA.items()
    )
    return Entry(
        name="gowalla",
        reader=read_gowalla,
        licence="test",
        source="a test",
        citation="",
        users=2,
        items=3,
        rows=(5,),
        files=files,
    )


class Server:
    """A server on 127.0.0.1; ``pages`` maps a path to (status, announced length, body)."""

    def __init__(self):
        self.pages, self.asked = {}, []

    def give(self, path, body, status=200, length=None):
        self.pages[path] = status, len(body) if length is None else length, body
        return f"{self.address}{path}"

    @contextlib.contextmanager
    def running(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                status, length, body = outer.pages.get(self.path, (404, 0, b""))
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.address = f"http://127.0.0.1:{server.server_port}"
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            try:
                yield self
            finally:
                server.shutdown()
