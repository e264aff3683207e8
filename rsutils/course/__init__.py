"""Running lessons, checking exercises, drawing pictures, and the doctor."""

from rsutils.course import check, plots

__all__ = ["check", "plots"]
