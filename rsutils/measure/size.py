"""How large: bytes of a file or folder, as they are and compressed."""

import tempfile
import zipfile
from pathlib import Path


def bytes_on_disk(path: str | Path) -> int:
    """Bytes in a file, or in all files below a folder; links are not followed.

    The sum of the files' lengths: what a copy over the network would carry, not the blocks that a
    file system rounds up to.

    Raises:
        FileNotFoundError: nothing is there.

    Example:
        >>> bytes_on_disk(__file__) > 1000
        True
    """
    return sum(file.stat().st_size for file in _files(Path(path)))


def zipped_bytes(path: str | Path) -> int:
    """Bytes of a ZIP archive of the file or folder, deflate level 9, the archive's index included.

    What pruning and clustering save shows here first: zeros and repeated values still take their
    full place in a plain file.

    Raises:
        FileNotFoundError: nothing is there.

    Example:
        >>> zipped_bytes(__file__) < bytes_on_disk(__file__)
        True
    """
    path = Path(path)
    with tempfile.TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for file in _files(path):
                archive.write(file, file.relative_to(path.parent))
        return target.seek(0, 2)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a file or folder to measure.")
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
