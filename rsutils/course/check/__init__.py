"""Checks of the exercises: *not tried yet*, a hint, or *right*; never an exception.

``check.lesson_01.hit_rate(my_function)`` shows a verdict in the notebook.
"""

from rsutils.course.check import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_09,
    lesson_10,
    lesson_11,
    lesson_12,
    lesson_13,
    lesson_14,
    lesson_15,
    lesson_16,
    lesson_24,
)
from rsutils.course.check.verdict import CHECKS, Check, Verdict

__all__ = [
    "CHECKS",
    "Check",
    "Verdict",
    "lesson_00",
    "lesson_01",
    "lesson_02",
    "lesson_03",
    "lesson_04",
    "lesson_05",
    "lesson_06",
    "lesson_07",
    "lesson_08",
    "lesson_09",
    "lesson_10",
    "lesson_11",
    "lesson_12",
    "lesson_13",
    "lesson_14",
    "lesson_15",
    "lesson_16",
    "lesson_24",
]
