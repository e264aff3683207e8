"""How much of a model is pruned at each step of training."""

from dataclasses import dataclass

from rsutils.compress.masks import check_sparsity


@dataclass(frozen=True)
class Schedule:
    """How sparsity grows with training steps.

    From ``initial`` at step ``begin`` to ``final`` at step ``end``, fast at first, while there is
    much to spare: final + (initial - final) (1 - t)^power, t from 0 to 1 (Zhu & Gupta 2017, "To
    prune, or not to prune", arXiv:1710.01878, eq. 1). With ``begin`` and ``end`` equal it jumps:
    a constant schedule.

    Attributes:
        final: sparsity at the end, from 0 to below 1.
        begin: first step at which weights are pruned.
        end: step from which on the masks stay as they are.
        initial: sparsity at ``begin``.
        power: 3 as in the paper; 1 is a line.
        every: steps from one mask to the next.

    Raises:
        ValueError: a sparsity outside of [0, 1), or steps that do not go forward.

    Example:
        >>> schedule = Schedule(0.8, begin=0, end=100)
        >>> [round(schedule(step), 2) for step in (0, 50, 100, 500)]
        [0.0, 0.7, 0.8, 0.8]
    """

    final: float
    begin: int = 0
    end: int = 0
    initial: float = 0.0
    power: float = 3.0
    every: int = 100

    def __post_init__(self) -> None:
        check_sparsity(self.final, "final")
        check_sparsity(self.initial, "initial")
        if not 0 <= self.begin <= self.end:
            raise ValueError(
                f"begin is {self.begin} and end is {self.end}; expected steps from 0, in order."
            )
        if self.every < 1 or self.power <= 0:
            raise ValueError(
                f"every is {self.every} and power is {self.power}; expected at least 1 step, and "
                "a power above 0."
            )

    def __call__(self, step: int) -> float:
        """The sparsity after ``step`` steps."""
        if step < self.begin:
            return 0.0
        if step >= self.end:
            return self.final
        rest = 1 - (step - self.begin) / (self.end - self.begin)
        return self.final + (self.initial - self.final) * rest**self.power
