"""How long a batch takes, learnt from those before: a fixed part and a part for each request."""

WEIGHT = 0.2
"""Of the last batch in the moving averages."""

DEVIATIONS = 6
"""Mean deviations by which hardly any batch exceeds the line."""

ENOUGH = 0.01
"""Variance of sizes from which the part for each request can be told from the fixed one."""


class BatchCost:
    """A line through the sizes and the seconds of batches, the latest ones weighing most.

    The weights fall by a constant factor from one batch to the one before it, so that the line
    follows a model that is swapped or a machine that becomes busy. While all batches had one size
    the time counts as fixed. How far batches lie from the line is learnt too, as TCP learns how
    long an answer may take (RFC 6298).

    Example:
        >>> cost = BatchCost()
        >>> for size in (1, 4, 8, 2, 4):
        ...     cost.add(size, 0.001 + 0.002 * size)
        >>> round(cost.seconds(16), 6), cost.largest(0.021, 32)
        (0.033, 10)
    """

    def __init__(self) -> None:
        self._seen, self._deviation = False, 0.0
        self._size = self._seconds = self._variance = self._together = self._slope = 0.0

    def add(self, size: int, seconds: float) -> None:
        """Learn from a batch."""
        if not self._seen:
            self._seen, self._size, self._seconds = True, float(size), seconds
            return
        by_size, by_seconds = size - self._size, seconds - self._seconds
        self._size += WEIGHT * by_size
        self._seconds += WEIGHT * by_seconds
        self._variance = (1 - WEIGHT) * (self._variance + WEIGHT * by_size**2)
        self._together = (1 - WEIGHT) * (self._together + WEIGHT * by_size * by_seconds)
        if self._variance > ENOUGH:
            self._slope = max(0.0, self._together / self._variance)
        # No batch takes less than no time.
        self._slope = min(self._slope, self._seconds / self._size)
        self._deviation += WEIGHT * (abs(seconds - self.seconds(size)) - self._deviation)

    def seconds(self, size: int) -> float:
        """Seconds that a batch of so many should take; 0 before the first."""
        return self._seconds + self._slope * (size - self._size) if self._seen else 0.0

    def at_most(self, size: int) -> float:
        """Seconds that hardly any batch of so many exceeds; 0 before the first."""
        return self.seconds(size) + DEVIATIONS * self._deviation

    def largest(self, seconds: float, most: int) -> int:
        """The largest batch, from 1 to ``most``, that takes at most ``seconds``, nearly always.

        Where the fixed part leaves less than itself of that, a batch may take twice the fixed part:
        smaller ones would be hardly faster, and spend most of their time on it.
        """
        fixed = self.seconds(0)
        room = max(seconds - self.at_most(0), fixed)
        if self._slope * most <= room:
            return most
        return max(1, int(room / self._slope + 1e-9))
