"""Keep start-up messages of native code out of notebooks, without losing what explains an error.

TensorFlow's native libraries write to file descriptor 2 before any logging is set up, where no
environment variable and no Python logger reaches them. ``quiet`` catches the descriptor itself. A
hook puts it around the first import of TensorFlow, whoever imports it.
"""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from types import ModuleType


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow native messages on standard error, prints and INFO logs; show them on an error.

    Example:
        >>> with quiet():
        ...     print("not shown")
    """
    with tempfile.TemporaryFile() as sink:
        printed = io.StringIO()
        sys.stderr.flush()
        saved, level = os.dup(2), logging.root.manager.disable
        os.dup2(sink.fileno(), 2)
        logging.disable(max(level, logging.INFO))
        try:
            with contextlib.redirect_stdout(printed):
                yield
        except BaseException:
            os.dup2(saved, 2)
            sink.seek(0)
            sys.stderr.write(printed.getvalue() + sink.read().decode(errors="replace"))
            raise
        finally:
            logging.disable(level)
            os.dup2(saved, 2)
            os.close(saved)


class QuietLoader(importlib.abc.Loader):
    """Runs another loader quietly."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the other loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the other loader does, with standard error caught."""
        with quiet():
            self.loader.exec_module(module)


class QuietTensorFlow(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as usual and gives it a quiet loader."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own specification with its loader wrapped, for TensorFlow alone."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            spec.loader = QuietLoader(spec.loader)
        return spec


def hush_tensorflow() -> None:
    """Make the first import of TensorFlow quiet; nothing happens where it is imported already."""
    hooked = any(isinstance(finder, QuietTensorFlow) for finder in sys.meta_path)
    if "tensorflow" not in sys.modules and not hooked:
        sys.meta_path.insert(0, QuietTensorFlow())
