"""How a cached answer is written down: a small header, then the answer."""

import math
import struct
import zlib
from typing import NamedTuple

MAGIC = b"rsc1"
HEADER = struct.Struct("<4sIddd")
"""Magic, checksum of what follows it, soft expiry, hard expiry, seconds that computing took."""

_CHECKED_FROM = 8


class CachedValue(NamedTuple):
    """An answer and until when it may be given.

    Attributes:
        value: the answer.
        soft: seconds since 1970 from which on it should be renewed.
        hard: seconds since 1970 from which on it must not be given.
        delta: seconds that computing took.
    """

    value: bytes
    soft: float
    hard: float
    delta: float


def pack(cached: CachedValue) -> bytes:
    """``cached`` as bytes.

    Example:
        >>> unpack(pack(CachedValue(b"answer", 10.0, 20.0, 0.5))).value
        b'answer'
    """
    blank = HEADER.pack(MAGIC, 0, cached.soft, cached.hard, cached.delta) + cached.value
    checksum = zlib.crc32(memoryview(blank)[_CHECKED_FROM:])
    return HEADER.pack(MAGIC, checksum, *cached[1:]) + cached.value


def unpack(data: bytes | None) -> CachedValue | None:
    """What ``pack`` wrote, or None where nothing was, or something foreign or damaged.

    Example:
        >>> unpack(b"foreign") is None
        True
    """
    if data is None or len(data) < HEADER.size:
        return None
    magic, checksum, soft, hard, delta = HEADER.unpack_from(data)
    if magic != MAGIC or zlib.crc32(memoryview(data)[_CHECKED_FROM:]) != checksum:
        return None
    return CachedValue(data[HEADER.size :], soft, hard, delta)


def wants_renewal(cached: CachedValue, now: float, beta: float, uniform: float) -> bool:
    """Whether to compute again, though perhaps a little early.

    Where many ask for the same answer, all of them would find it expired at once. Each therefore
    goes by an expiry that lies earlier by a random time, which is exponentially distributed with
    the mean ``beta * delta``: the more are asking, the earlier the first of them renews, and what
    takes longer to compute is begun earlier.

    Source: Vattani, Chierichetti and Lowenstein, "Optimal probabilistic cache stampede
    prevention", 2015, section 3 (XFetch).

    Args:
        cached: what is known.
        now: seconds since 1970.
        beta: 1 is the optimum that the source derives; more renews earlier, 0 at the expiry.
        uniform: a random number above 0 and up to 1.

    Example:
        >>> wants_renewal(CachedValue(b"", 10.0, 20.0, 0.5), 9.0, beta=1.0, uniform=0.2)
        False
        >>> wants_renewal(CachedValue(b"", 10.0, 20.0, 0.5), 9.0, beta=1.0, uniform=0.1)
        True
    """
    return now - cached.delta * beta * math.log(uniform) >= cached.soft
