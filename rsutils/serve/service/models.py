"""The folder of systems: which one answers, the next one, and the way back.

The next system is loaded, verified and warmed on a thread while the old one answers. Then one
reference changes. Requests that began with the old one end with it, and it stays loaded as the
previous one, so that going back takes no time.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from rsutils.sealed import LARGEST_MANIFEST, MANIFEST
from rsutils.serve.service.request_log import log_failure

LOG = logging.getLogger("rsutils.serve")
NAME = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,63}")


class UnknownModelError(LookupError):
    """No system of this name lies in the folder."""


class DamagedModelError(ValueError):
    """A system cannot be loaded; the one before goes on."""


class Serving:
    """A loaded engine, and how many are using it.

    Attributes:
        name: of its folder.
        engine: answers.
        warm: whether it has been warmed up; before, popularity answers.
    """

    def __init__(self, name: str, engine: Any, warm: bool) -> None:
        self.name, self.engine, self.warm = name, engine, warm
        self.users = 0
        self.retired = False


class Systems:
    """The system folders below a folder; or the one that it is itself.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Systems(Path(folder)).names()
        []
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.alone = (self.folder / MANIFEST).is_file()

    def names(self) -> list[str]:
        """Names of the system folders there are, sorted."""
        if self.alone:
            return [self.folder.name]
        return sorted(
            path.name
            for path in self.folder.iterdir()
            if NAME.fullmatch(path.name)
            and not path.name.endswith(".part")
            and not path.is_symlink()
            and (path / MANIFEST).is_file()
        )

    def path(self, name: str) -> Path:
        """The folder of a system; a name that is not listed is never made a path.

        Raises:
            UnknownModelError: there is none of this name.
        """
        for known in self.names():
            if known == name:
                return self.folder if self.alone else self.folder / known
        raise UnknownModelError(
            f"There is no model {name[:64]!r}; there are: {', '.join(self.names()) or 'none'}."
        )

    def newest(self) -> str:
        """The system that was created last, by its manifest.

        Raises:
            UnknownModelError: there is no system.
        """
        names = self.names()
        if not names:
            raise UnknownModelError(
                f"{self.folder} has no folder with a {MANIFEST} in it; build a system first."
            )
        return max(names, key=lambda name: (self._created(name), name))

    def _created(self, name: str) -> str:
        """Only to choose; the whole folder is verified when it is loaded."""
        try:
            path = self.path(name) / MANIFEST
            if path.stat().st_size > LARGEST_MANIFEST:
                return ""
            return str(json.loads(path.read_bytes())["created"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""


class Hub:
    """Which system answers; used on the event loop's thread.

    Args:
        systems: the folders.
        open_engine: loads and verifies a folder.
        name: of the first system; None for the newest.

    Raises:
        UnknownModelError: there is no such system.
        DamagedModelError: it cannot be loaded.
    """

    def __init__(
        self, systems: Systems, open_engine: Callable[[Path], Any], name: str | None = None
    ) -> None:
        self.systems, self._open = systems, open_engine
        self.active = self._load(systems.newest() if name is None else name, warm=False)
        self.previous: Serving | None = None
        self.on_swap: Callable[[str], None] = lambda name: None
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="models")
        self._lock = asyncio.Lock()

    def lease(self) -> Serving:
        """The active system; it is not closed until it was released."""
        self.active.users += 1
        return self.active

    def release(self, serving: Serving) -> None:
        """Give back what was leased."""
        serving.users -= 1
        self._close_unused(serving)

    async def warm_up(self) -> None:
        """Warm the first system; until then popularity answers."""
        first = self.lease()
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, first.engine.warm_up)
            first.warm = True
        finally:
            self.release(first)

    async def activate(self, name: str) -> None:
        """Load a system and let it answer; the one that answers already is left as it is.

        Raises:
            UnknownModelError: there is no such system.
            DamagedModelError: it cannot be loaded or warmed; the one before goes on.
        """
        async with self._lock:
            self.systems.path(name)
            if name == self.active.name:
                return
            loop = asyncio.get_running_loop()
            self._swap(await loop.run_in_executor(self._threads, self._load, name, True))

    async def roll_back(self) -> None:
        """Let the previous system answer again; the active one becomes the previous.

        Raises:
            UnknownModelError: there is no previous one.
        """
        async with self._lock:
            if self.previous is None:
                raise UnknownModelError("There is no previous model to roll back to.")
            self.active, self.previous = self.previous, self.active
            self.on_swap(self.active.name)

    async def rebuild_index(self, serving: Serving, kind: str, settings: Mapping[str, Any]) -> Any:
        """Let another index of a leased system take over.

        Systems may be swapped meanwhile: what was leased gets the index, whether it still answers
        or not. So the way back is open while an index is built; only the next system waits. A
        system that is loaded again has the index of its folder.

        Args:
            serving: leased.
            kind: of the index.
            settings: its own.

        Returns:
            The engine's new version of its index.

        Raises:
            ValueError: an index like this cannot be built.
            RebuildError: it finds too little.
        """
        work = partial(serving.engine.rebuild_index, kind, **settings)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def activate_newest(self) -> None:
        """Look for a newer system; where it is damaged the error is logged and nothing changes."""
        try:
            await self.activate(self.systems.newest())
        except (UnknownModelError, DamagedModelError, OSError) as error:
            log_failure(LOG, "The newest model is not activated", error, detail=str(error))

    def close(self) -> None:
        """Close what is loaded."""
        self._threads.shutdown(cancel_futures=True)
        for serving in (self.active, self.previous):
            if serving is not None:
                serving.engine.close()

    def _swap(self, serving: Serving) -> None:
        oldest, self.previous, self.active = self.previous, self.active, serving
        self.on_swap(serving.name)
        if oldest is not None:
            oldest.retired = True
            self._close_unused(oldest)

    def _close_unused(self, serving: Serving) -> None:
        if serving.retired and not serving.users:
            serving.engine.close()

    def _load(self, name: str, warm: bool) -> Serving:
        path = self.systems.path(name)
        try:
            engine = self._open(path)
            if warm:
                engine.warm_up()
        except Exception as error:
            # A damaged file can make any reader fail in its own way.
            log_failure(LOG, "A model cannot be loaded", error, model=name)
            known = isinstance(error, ValueError | OSError)
            reason = str(error) if known else f"{type(error).__name__} when it was read"
            reason = reason.replace(f"{path.parent}/", "")
            raise DamagedModelError(f"The model {name!r} cannot be loaded: {reason}") from error
        return Serving(name, engine, warm)
