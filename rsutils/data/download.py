"""Fetch a file from the first mirror that has it right, and unpack archives safely.

Whatever goes wrong, nothing half-written stays: a file is written beside its target under another
name and moved there whole.
"""

import errno
import http.client
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

from rsutils.data.checksums import verify

TIMEOUT = 30.0
"""Seconds without an answer, after which the next mirror is asked."""

LARGEST = 1 << 30
"""Bytes: far above every data set here, far below what would fill a disk."""

CHUNK = 1 << 18
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def fetch(urls: Sequence[str], checksum: str, target: Path) -> Path:
    """Download ``target`` from the first of ``urls`` that gives the right file.

    Args:
        urls: http or https addresses, tried in turn.
        checksum: ``scheme:digest``, see ``rsutils.data.checksums``.
        target: where the file goes; its folder is made.

    Returns:
        ``target``.

    Raises:
        ConnectionError: no mirror gave the right file; the message says what each did.
        OSError: the file cannot be written.
        ValueError: an address is neither http nor https.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in urls:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{url} is no download address; expected http:// or https://.")
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=".part"
        )
        os.close(handle)
        part = Path(name)
        try:
            _download(url, part)
            verify(part, checksum)
            part.chmod(0o644)
            part.replace(target)
            return target
        except (OSError, http.client.HTTPException, ValueError) as error:
            if getattr(error, "errno", None) in NO_SPACE:
                raise OSError(error.errno, f"{os.strerror(error.errno)}: {target}") from error
            failures.append(f"{url}: {str(error).replace(str(part), target.name) or repr(error)}")
        finally:
            part.unlink(missing_ok=True)
    raise ConnectionError("\n".join([f"No mirror gave {target.name}.", *failures]))


def _download(url: str, part: Path) -> None:
    request = Request(url, headers={"User-Agent": "rsutils", "Accept-Encoding": "identity"})
    with urlopen(request, timeout=TIMEOUT) as response, part.open("wb") as file:
        announced = response.headers.get("Content-Length")
        size = int(announced) if announced else None
        received = 0
        # The bar appears only where a download takes longer than 2 seconds.
        with tqdm(total=size, unit="B", unit_scale=True, delay=2, leave=False, desc=url) as bar:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                received += len(chunk)
                bar.update(len(chunk))
                if received > LARGEST:
                    raise ValueError(f"more than {LARGEST:,} bytes; this is not the file")
        if size is not None and received != size:
            raise ValueError(f"truncated: {received:,} of {size:,} bytes arrived")


def unpack(archive: Path, target: Path, root: str = "", limit: int = LARGEST) -> Path:
    """Unpack a zip archive so that its folder ``root`` becomes ``target``.

    Everything is unpacked beside ``target`` first and then renamed. Where another process made
    ``target`` meanwhile, its copy stays.

    Args:
        archive: the file.
        target: the folder to make.
        root: folder inside the archive; "" for all of it.
        limit: bytes that the contents may have.

    Returns:
        ``target``.

    Raises:
        ValueError: the file is no archive, is damaged, has no ``root``, unpacks to more than
            ``limit`` bytes, or holds a link, an absolute path or a path with ``..``.
        OSError: the disk is full or may not be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        whole = Path(scratch) / "contents"
        try:
            _unzip(archive, whole, limit)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise ValueError(f"{archive} is no zip archive, or a damaged one: {error}.") from error
        if not (whole / root).is_dir():
            raise ValueError(f"{archive} has no folder {root!r}.")
        try:
            (whole / root).rename(target)
        except OSError:
            if not target.is_dir():
                raise
    return target


def _unzip(archive: Path, folder: Path, limit: int) -> None:
    with zipfile.ZipFile(archive) as members:
        for member in members.infolist():
            _refuse_unsafe(archive, member)
        size = sum(member.file_size for member in members.infolist())
        if size > limit:
            raise ValueError(
                f"{archive} unpacks to {size:,} bytes, more than {limit:,}; it was not unpacked."
            )
        folder.mkdir()
        for member in members.infolist():
            path = folder / member.filename
            if member.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with members.open(member) as source, path.open("xb") as copy:
                shutil.copyfileobj(source, copy)


def _refuse_unsafe(archive: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    path = PurePosixPath(name.replace("\\", "/"))
    link = stat.S_ISLNK(member.external_attr >> 16)
    if link or path.is_absolute() or ".." in path.parts or ":" in name:
        what = "a link" if link else "a path outside the folder"
        raise ValueError(f"{archive} holds {what}, {name!r}; it was not unpacked.")
