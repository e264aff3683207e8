"""Where the lessons are and what is known about each."""

from dataclasses import dataclass
from pathlib import Path

import nbformat

from rsutils import settings

NOTEBOOKS = settings.REPOSITORY / "notebooks"


@dataclass(frozen=True)
class Lesson:
    """One lesson: a notebook named ``NN_name.ipynb``.

    Attributes:
        path: the notebook.

    Example:
        >>> Lesson(Path("notebooks/02_collaborative_filtering.ipynb")).number
        '02'
    """

    path: Path

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def number(self) -> str:
        """The two digits that the name begins with."""
        return self.name[:2]

    def read(self) -> nbformat.NotebookNode:
        """The notebook as nbformat reads it."""
        return nbformat.read(self.path, as_version=4)


def find_lessons(wanted: list[str] | None = None) -> list[Lesson]:
    """The lessons in order, all of them or those that ``wanted`` names.

    Args:
        wanted: numbers (``"02"`` or ``"2"``) or names (``"02_collaborative_filtering"``).

    Raises:
        ValueError: a wanted lesson does not exist; the message lists those that do.

    Example:
        >>> [lesson.number for lesson in find_lessons(["1"])]
        ['01']
    """
    lessons = [Lesson(path) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
    if not wanted:
        return lessons
    by_key = {lesson.number: lesson for lesson in lessons}
    by_key |= {lesson.name: lesson for lesson in lessons}
    chosen = []
    for key in wanted:
        name = key.removesuffix(".ipynb").rpartition("/")[2].zfill(2)
        if name not in by_key:
            known = ", ".join(lesson.name for lesson in lessons)
            raise ValueError(f"There is no lesson {key!r}; there are: {known}.")
        chosen.append(by_key[name])
    return chosen
