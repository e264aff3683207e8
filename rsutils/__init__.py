"""Helpers of the course: one recommender from its first baseline to a small, fast service.

The rooms, in the order in which data walks through them: ``settings``, ``data``, ``evaluate``,
``training``, ``models``, ``serve``, ``measure``, ``course``. A room imports only from rooms before
it.
"""

from rsutils import settings
from rsutils.quiet import hush_tensorflow

hush_tensorflow()

__all__ = ["settings"]
__version__ = "0.1.0"
