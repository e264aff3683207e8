"""Cached answers over a store: renewed a little early by chance, and by one process at a time."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from threading import Lock
from typing import Literal

from rsutils.serve.store.base import Store, checked_seconds
from rsutils.serve.store.cached_value import CachedValue, pack, unpack, wants_renewal

Freshness = Literal["hit", "miss", "stale"]
Compute = Callable[[Sequence[int]], Sequence[bytes | None]]
Found = tuple[bytes | None, Freshness]

POLL = 0.002
"""Seconds between two looks for what another process computes."""


class AnswerCache:
    """Answers by key, computed where none is known or the known one is due.

    An answer is fresh for ``seconds``. Then, for ``stale_seconds`` more, it is still given to those
    who ask while somebody else computes it again. Who computes claims the key in the store, so
    that of several processes on one Redis one computes. Where nothing is known, the others wait
    for it a little, and compute themselves if it does not come.

    Args:
        store: where answers are kept. An answer's key there is the key itself; its claim is
            kept beside it.
        seconds: for which an answer is fresh.
        beta: how early answers are renewed by chance, see ``wants_renewal``.
        clock: seconds since 1970. Several processes read what one wrote, so this cannot be a
            monotonic clock, whose origin is each machine's own. Where clocks differ, answers are
            renewed earlier or later by the difference; the store's time to live bounds them still.
        stale_seconds: for which an answer may be given beyond; None for as many as ``seconds``.
        claim_seconds: after which a claim lapses, for its owner may have been killed. An answer
            that takes longer is given, but not kept.
        longest_wait: seconds to wait for somebody else's answer; less where that is more than twice
            what computing took here the last time.
        random: gives the numbers of ``wants_renewal``; None for one that is seeded by the system.
        timer: seconds of any origin, for how long computing takes and how long to wait.
        sleep: waits for so many seconds.

    Attributes:
        hits: answers that were known and fresh.
        misses: answers that were computed.
        stale: answers that were given while somebody else computes them again.

    Raises:
        ValueError: seconds are not above 0, or ``beta`` is negative.

    Example:
        >>> from rsutils.serve.store.memory import MemoryStore
        >>> cache = AnswerCache(MemoryStore())
        >>> square = lambda positions: [b"%d" % position**2 for position in positions]
        >>> cache.get_or_compute(["a", "b", "a"], square)
        [(b'0', 'miss'), (b'1', 'miss'), (b'0', 'miss')]
        >>> cache.get_or_compute(["b"], square)
        [(b'1', 'hit')]
    """

    def __init__(
        self,
        store: Store,
        seconds: float = 60.0,
        beta: float = 1.0,
        clock: Callable[[], float] = time.time,
        *,
        stale_seconds: float | None = None,
        claim_seconds: float = 5.0,
        longest_wait: float = 0.05,
        random: Random | None = None,
        timer: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not beta >= 0:
            raise ValueError(f"beta is {beta}; expected 0 or more, 1 as a rule.")
        self._store, self._beta = store, beta
        self._seconds = checked_seconds(seconds)
        self._stale_seconds = checked_seconds(seconds if stale_seconds is None else stale_seconds)
        self._claim_seconds = checked_seconds(claim_seconds)
        self._longest_wait = self._took = longest_wait
        self._random = random or Random()
        self._clock, self._timer, self._sleep = clock, timer, sleep
        self._lock = Lock()
        self.hits = self.misses = self.stale = 0

    def get_or_compute(self, keys: Sequence[str], compute: Compute) -> list[Found]:
        """The answer of each key, and how it was come by.

        Args:
            keys: of the answers; equal ones get the same.
            compute: gets positions in ``keys``, one for each answer that has to be made, and
                returns as many answers, or None for one that must not be kept. It is called at
                most twice: for what this process claimed, and for what it waited for in vain.

        Returns:
            Answer and ``"hit"``, ``"miss"`` or ``"stale"`` for each key. Where ``compute`` gave
            None, that is an older answer, stale, or None.

        Raises:
            ValueError: ``compute`` returned another number of answers.
            Exception: what ``compute`` raised; nothing is kept then, and claims are released.
        """
        positions: dict[str, int] = {}
        for place, key in enumerate(keys):
            positions.setdefault(key, place)
        known = self._look_up(positions)
        mine = self._claim([key for key in positions if self._due(known.get(key))], known)
        results = {key: self._given(known[key]) for key in known.keys() - {*mine}}

        def make(some: Sequence[str], claimed: Sequence[str]) -> None:
            values = self._make(some, claimed, lambda: compute([positions[key] for key in some]))
            for key, value in zip(some, values, strict=True):
                older = known.get(key) if value is None else None
                usable = older and self._clock() < older.hard
                results[key] = (older.value, "stale") if usable else (value, "miss")

        deadline = self._timer() + min(self._longest_wait, 2 * self._took)
        make(mine, mine)
        found, free = self._wait([key for key in positions if key not in results], deadline)
        results |= {key: self._given(each) for key, each in found.items()}
        make([key for key in positions if key not in results], free)
        self._count(results[key][1] for key in keys)
        return [results[key] for key in keys]

    def drop(self, keys: Sequence[str]) -> None:
        """Forget answers, those that are being computed included: they are not kept then."""
        self._store.delete([*keys, *map(_claim_of, keys)])

    def _look_up(self, keys: Iterable[str]) -> dict[str, CachedValue]:
        keys = [*keys]
        found = zip(keys, map(unpack, self._store.get_many(keys) if keys else ()), strict=True)
        now = self._clock()
        return {key: cached for key, cached in found if cached and now < cached.hard}

    def _due(self, cached: CachedValue | None) -> bool:
        uniform = 1.0 - self._random.random()
        return cached is None or wants_renewal(cached, self._clock(), self._beta, uniform)

    def _given(self, cached: CachedValue) -> Found:
        return cached.value, "stale" if self._clock() >= cached.soft else "hit"

    def _claim(self, keys: Sequence[str], known: dict[str, CachedValue]) -> list[str]:
        """The keys that this call has to compute; what was renewed meanwhile goes to ``known``."""
        if not keys:
            return []
        granted = self._store.claim_many([*map(_claim_of, keys)], self._claim_seconds)
        mine = [key for key, first in zip(keys, granted, strict=True) if first]
        # Between look-up and claim another process may have computed, kept and released.
        renewed = {
            key: each
            for key, each in self._look_up(mine).items()
            if key not in known or each.soft > known[key].soft
        }
        known |= renewed
        self._release([*renewed])
        return [key for key in mine if key not in renewed]

    def _release(self, keys: Sequence[str]) -> None:
        if keys:
            self._store.delete([*map(_claim_of, keys)])

    def _make(
        self,
        keys: Sequence[str],
        claimed: Sequence[str],
        compute: Callable[[], Sequence[bytes | None]],
    ) -> Sequence[bytes | None]:
        if not keys:
            return ()
        start = self._timer()
        try:
            values = compute()
            if len(values) != len(keys):
                raise ValueError(
                    f"compute returned {len(values)} answers for {len(keys)} positions; expected "
                    "one for each, None where it must not be kept."
                )
            self._took = self._timer() - start
            self._keep(dict(zip(keys, values, strict=True)), self._took)
        finally:
            self._release(claimed)
        return values

    def _keep(self, values: Mapping[str, bytes | None], delta: float) -> None:
        """Keep answers, but those whose claim is gone: they were dropped while being computed."""
        fit = [key for key, value in values.items() if value is not None]
        if not fit:
            return
        claims = self._store.get_many([*map(_claim_of, fit)])
        soft = self._clock() + self._seconds
        hard = soft + self._stale_seconds
        packed = {
            key: pack(CachedValue(values[key], soft, hard, delta))
            for key, claim in zip(fit, claims, strict=True)
            if claim is not None
        }
        if packed:
            self._store.set_many(packed, self._seconds + self._stale_seconds)

    def _wait(
        self, keys: Sequence[str], deadline: float
    ) -> tuple[dict[str, CachedValue], list[str]]:
        """What others computed until the deadline, and what they let go of and is claimed here."""
        found: dict[str, CachedValue] = {}
        free: list[str] = []
        waiting = list(keys)
        while waiting and self._timer() < deadline:
            claims = self._store.get_many([*map(_claim_of, waiting)])
            # Looked up after the claims: whoever released one had kept the answer before.
            found |= self._look_up(waiting)
            gone = [
                key
                for key, claim in zip(waiting, claims, strict=True)
                if claim is None and key not in found
            ]
            free += self._claim(gone, found)
            waiting = [key for key in waiting if key not in found and key not in free]
            if waiting:
                self._sleep(POLL)
        return found, free

    def _count(self, given: Iterable[Freshness]) -> None:
        counts = Counter(given)
        with self._lock:
            self.hits += counts["hit"]
            self.misses += counts["miss"]
            self.stale += counts["stale"]


def _claim_of(key: str) -> str:
    return f"claim:{key}"
