"""The demo world: a generated shop of films whose truth is known.

``config`` (sizes and strengths), ``catalogue`` and ``words`` (films), ``people`` (tastes, friends),
``diary`` (when they watch), ``law`` (the probability of the next film), ``behaviour`` (what they
watch), ``oracle`` (the best possible ranking), ``files`` (reading and writing).
"""

from rsutils.data.world.config import WorldConfig
from rsutils.data.world.files import read_truth, read_world, write_world
from rsutils.data.world.oracle import Oracle
from rsutils.data.world.worlds import World, generate

__all__ = ["Oracle", "World", "WorldConfig", "generate", "read_truth", "read_world", "write_world"]
