"""When people watch: how many films, in which session, at which minute. What comes elsewhere.

The number of films is log-normal. After a film the session goes on with probability ``stay``; a
new session has a mood of its own, drawn from the person's habits. A person joins at a uniform
time and is active for a while (median 40 days); sessions start at sorted uniform times within it,
and films of a session lie 20 to 140 minutes apart.
"""

from dataclasses import dataclass

import numpy as np

from rsutils.data.world.config import WorldConfig


@dataclass(frozen=True, eq=False)
class Diary:
    """One entry a film that will be watched, by person, then in order.

    Attributes:
        user: (n,) int32.
        step: (n,) int32, 0 for a person's first film.
        session: (n,) int32, numbered from 0 for each person.
        mood: (n,) int8, the mood of the session.
        minute: (n,) int32, minutes since the log began, growing for each person.
        length: (n_users,) int32, films of each person.
    """

    user: np.ndarray
    step: np.ndarray
    session: np.ndarray
    mood: np.ndarray
    minute: np.ndarray
    length: np.ndarray


def keep_diaries(mood_habit: np.ndarray, config: WorldConfig) -> Diary:
    """Draw everybody's diary.

    Args:
        mood_habit: (n_users, n_moods), rows sum to 1.
        config: sizes and strengths.

    Example:
        >>> diary = keep_diaries(np.full((3, 8), 1 / 8), WorldConfig(n_users=3))
        >>> bool((diary.step[diary.session == 0] < diary.length.max()).all())
        True
    """
    rng = np.random.default_rng([config.seed, 3])
    length = np.exp(
        np.log(config.activity_median)
        + config.activity_spread * rng.standard_normal(len(mood_habit))
    )
    length = np.clip(length, *config.activity_range).astype(np.int32)
    horizon = config.minutes
    joined = rng.uniform(0, 0.9 * horizon, len(length))
    active = 40 * 24 * 60 * np.exp(rng.standard_normal(len(length)))
    active = np.minimum(active, 0.95 * horizon - joined)
    sessions, moods, minutes = [], [], []
    for user, n in enumerate(length):
        fresh = rng.random(n) >= config.stay
        fresh[0] = True
        session = np.cumsum(fresh) - 1
        starts = joined[user] + active[user] * np.sort(rng.random(session[-1] + 1))
        habit = np.cumsum(mood_habit[user, :-1], dtype=np.float64)
        mood = np.searchsorted(habit, rng.random(session[-1] + 1))
        sessions.append(session)
        moods.append(mood[session])
        minutes.append(_minutes(starts, fresh, rng.integers(20, 140, n)))
    return Diary(
        user=np.repeat(np.arange(len(length), dtype=np.int32), length),
        step=np.concatenate([np.arange(n, dtype=np.int32) for n in length]),
        session=np.concatenate(sessions).astype(np.int32),
        mood=np.concatenate(moods).astype(np.int8),
        minute=np.concatenate(minutes),
        length=length,
    )


def _minutes(starts: np.ndarray, fresh: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Minutes of a person's films: a session starts in its time, but after the one before."""
    minute = np.empty(len(fresh), np.int32)
    now, session = -np.inf, -1
    for step, new in enumerate(fresh):
        session += int(new)
        now = max(starts[session], now + gap[step]) if new else now + gap[step]
        minute[step] = int(now)
    return minute
