"""Names of a package that are loaded when they are first used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def names(
    package: str,
    module_of: Mapping[str, str],
    modules: Sequence[str] = (),
    beside: Sequence[str] = (),
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for a package's ``__init__`` (PEP 562).

    Importing the package then imports neither TensorFlow nor whatever else a few of its names need.
    A module must not be called like a name of the package: once imported it would hide it.

    Args:
        package: ``__name__`` of the package.
        module_of: by name, the module that has it, from the package on.
        modules: modules that are names themselves.
        beside: names that the package imports at once.

    Example:
        >>> load, listed = names("json", {"JSONDecoder": "decoder"}, ["scanner"])
        >>> load("JSONDecoder").__name__, listed()
        ('JSONDecoder', ['JSONDecoder', 'scanner'])
    """
    loaded_later = [*module_of, *modules]

    def load(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in module_of:
            raise AttributeError(f"{package} has no {name!r}; it has {', '.join(loaded_later)}.")
        return getattr(import_module(f"{package}.{module_of[name]}"), name)

    return load, lambda: [*beside, *loaded_later]
