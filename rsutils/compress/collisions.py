"""Hash functions of ids, and how many ids will share a bucket.

Everything here is arithmetic with ``+ * // %`` on whole numbers below 2^31, so that the same lines
work on NumPy arrays and inside of a Keras model, and export to ONNX and LiteRT.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

LARGEST = 2**31 - 1
"""The largest int32."""


@dataclass(frozen=True)
class UniversalHash:
    """A hash function from a family in which two ids collide by chance only.

    An id is written in two digits, and h(id) = ((a · high + b · low + c) mod p) mod buckets, with p
    prime and a, b, c drawn below p (Carter & Wegman 1979, "Universal classes of hash functions",
    section 3, there with one digit). With two digits no product leaves int32. ``id % buckets`` is
    no such function: which ids collide is decided by who numbered them.

    Attributes:
        buckets: how many values the function has.
        base: of the digits.
        prime: p.
        factors: a, b and c.

    Raises:
        ValueError: the ids or buckets are too many for int32.

    Example:
        >>> h = UniversalHash.draw(n_ids=1000, buckets=10, seed=0)
        >>> counts = np.bincount(h(np.arange(1000)), minlength=10)
        >>> int(counts.sum()), len(counts), bool(counts.min() > 50)
        (1000, 10, True)
    """

    buckets: int
    base: int
    prime: int
    factors: tuple[int, int, int]

    @classmethod
    def draw(cls, n_ids: int, buckets: int, seed: int) -> Self:
        """A function for ids from 0 to ``n_ids`` - 1, drawn by ``seed``."""
        base = math.isqrt(max(n_ids - 1, 0)) + 1
        highest = LARGEST // (2 * base)
        if highest < max(base, buckets):
            raise ValueError(
                f"n_ids is {n_ids} and buckets is {buckets}: their products leave int32. Take at "
                f"most {highest} buckets, or fewer ids."
            )
        prime = next(n for n in range(highest, 1, -1) if _is_prime(n))
        a, b, c = np.random.default_rng(seed).integers(1, prime, 3).tolist()
        return cls(buckets, base, prime, (a, b, c))

    def __call__(self, ids: Any) -> Any:
        """The bucket of each id: an array or Keras tensor of the shape of ``ids``."""
        a, b, c = self.factors
        high, low = ids // self.base, ids % self.base
        return (high * a + low * b + c) % self.prime % self.buckets


def share_colliding(n_ids: int, buckets: int, functions: int = 1) -> float:
    """The expected share of ids that have their vector in common with another id.

    With one hash function that is 1 - (1 - 1/m)^(n - 1) for n ids in m buckets. With two, whose
    vectors are added, two ids have to agree in both buckets, in one order or the other.

    Args:
        n_ids: n.
        buckets: m, the rows of the table.
        functions: 1, or 2.

    Raises:
        ValueError: a number is below 1, or ``functions`` is another.

    Example:
        >>> round(share_colliding(1000, 1000), 3), round(share_colliding(1000, 1000, 2), 3)
        (0.632, 0.002)
    """
    _check(n_ids, buckets)
    if functions == 1:
        return 1 - (1 - 1 / buckets) ** (n_ids - 1)
    if functions != 2:
        raise ValueError(f"functions is {functions}; expected 1 or 2.")
    # The share 1/m of ids has one bucket twice, and one way to be met.
    once = 1 - (1 - 1 / buckets**2) ** (n_ids - 1)
    twice = 1 - max(1 - 2 / buckets**2, 0.0) ** (n_ids - 1)
    return once / buckets + twice * (1 - 1 / buckets)


def expected_collisions(n_ids: int, buckets: int) -> float:
    """How many ids are left over when each bucket in use has one: n - m (1 - (1 - 1/m)^n).

    Args:
        n_ids: n.
        buckets: m.

    Raises:
        ValueError: a number is below 1.

    Example:
        >>> expected_collisions(2, 2)
        0.5
    """
    _check(n_ids, buckets)
    return n_ids - buckets * (1 - (1 - 1 / buckets) ** n_ids)


def _check(n_ids: int, buckets: int) -> None:
    if n_ids < 1 or buckets < 1:
        raise ValueError(f"n_ids is {n_ids} and buckets is {buckets}; expected at least 1.")


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % factor for factor in range(2, math.isqrt(n) + 1))
