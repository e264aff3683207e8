"""Answers from a served system: names in, items with reasons out, histories up to date."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.serve.answers import EVENT_KINDS, Answer, Event, Query, Reason, UnknownNameError
from rsutils.serve.asked import Asked, behaviour_of, read_query
from rsutils.serve.listing import NOTHING_FOUND, listed, pack, unpack
from rsutils.serve.ranking.features import UNKNOWN_USER
from rsutils.serve.ranking.orders import PopularItems, SimilarItems
from rsutils.serve.retrieval import Version
from rsutils.serve.store import AnswerCache, MemoryStore, Store
from rsutils.serve.system import System

NEWEST = 200
"""Entries of behaviour that an answer looks at."""
CACHE_SECONDS = 300.0
CHECKED = 64
"""Users whose candidates a new index must find."""


class Engine:
    """Answers queries from a folder that ``write_system`` wrote.

    An answer is kept under a key that holds what it was made from, the index and the user's latest
    behaviour included, so that whatever a user does makes the next answer a new one and nothing has
    to be thrown out. All methods but ``answer`` may be called from any thread; ``answer`` by one at
    a time.

    Args:
        folder: of the system.
        store: keeps behaviour and answers; None for one in this process.
        threads: threads that one call of a ranker may use.

    Attributes:
        name: of the folder.
        manifest: what was measured when the system was made.
        variants: of the ranker, the default one first.
        categories: all that items have.
        catalogue: names of users and items.

    Raises:
        FileNotFoundError: a file of the folder is missing.
        ValueError: a file changed, or does not belong there.
    """

    def __init__(self, folder: Path | str, store: Store | None = None, threads: int = 1) -> None:
        self.system = System.load(folder, threads)
        self.name, self.manifest = self.system.name, self.system.manifest
        self.catalogue, self.stages = self.system.catalogue, self.system.stages
        self.variants = tuple(self.manifest["variants"])
        self.categories = self.catalogue.category_names
        self.store = MemoryStore() if store is None else store
        self.cache = AnswerCache(self.store, CACHE_SECONDS)
        self._popular_items = PopularItems(self.stages.signals.popularity)
        self._similar_items = SimilarItems(self.stages.signals.item_factors)

    @property
    def index(self) -> Version:
        """Which index proposes candidates."""
        return self.stages.live.current

    def rebuild_index(self, kind: str | None = None, **settings: Any) -> Version:
        """Let another index over the same items take over, while the current one answers.

        It has to find the candidates of real histories. Until it takes over both are in memory. The
        folder stays as it is: whoever loads it again searches by the index that lies there.
        Arguments, the version that is returned, and errors are those of ``TwoStage.rebuild_index``.
        """
        users = self.system.some_users(CHECKED)
        histories = [self.system.histories[user] for user in users]
        return self.stages.rebuild_index(histories, kind, **settings)

    def answer(self, queries: Sequence[Query]) -> list[Answer | UnknownNameError]:
        """Answers in the order of the queries.

        A query that names an unknown item, category or variant gets the error in its place; the
        others are answered. One version of the index answers all of them.
        """
        begun, version = time.perf_counter(), self.index
        users = sorted({query.user for query in queries if query.user is not None})
        known = dict(zip(users, self.store.behaviour(users, NEWEST), strict=True)) if users else {}
        answers: list[Answer | UnknownNameError | None] = [None] * len(queries)
        asked: dict[int, Asked] = {}
        for place, query in enumerate(queries):
            try:
                asked[place] = read_query(query, self.system, self.variants, known.get(query.user))
            except UnknownNameError as error:
                answers[place] = error
        for place in [place for place, each in asked.items() if not len(each.history)]:
            answers[place] = self._popular(asked.pop(place))
        stages = {"cache": 1e3 * (time.perf_counter() - begun)}
        places = [*asked]
        found = self.cache.get_or_compute(
            [self._key(asked[place], version) for place in places],
            lambda some: self._compute([asked[places[each]] for each in some], version, stages),
        )
        for place, (value, freshness) in zip(places, found, strict=True):
            answers[place] = self._unpacked(asked[place], value or NOTHING_FOUND, freshness, stages)
        return [each for each in answers if each is not None]

    def popular(self, query: Query) -> Answer:
        """The most popular items that the query allows; no model is asked.

        Raises:
            UnknownNameError: the query names an unknown item, category or variant.
        """
        return self._popular(read_query(query, self.system, self.variants, None))

    def similar(
        self,
        item: str,
        k: int = 10,
        categories: Sequence[str] = (),
        blocked: Sequence[str] = (),
    ) -> Answer:
        """Items whose factors point in the same direction: the cosine is the score.

        Raises:
            UnknownNameError: there is no such item or category.
        """
        begun = time.perf_counter()
        number = int(self.catalogue.items_at([item])[0])
        hidden, allowed = self.catalogue.items_at(blocked), self.catalogue.mask(categories)
        found, cosines = self._similar_items.nearest(number, k, hidden, allowed)
        reason = Reason("similar", item, self.catalogue.titles[number])
        items = listed(self.catalogue, found, cosines, [reason] * len(found))
        stages = {"retrieval": 1e3 * (time.perf_counter() - begun)}
        return Answer(items, "model", "miss", self.name, self.variants[0], stages)

    def check_events(self, events: Sequence[Event]) -> None:
        """Refuse events that ``record`` would refuse.

        Raises:
            UnknownNameError: an item or a kind is unknown.
        """
        self.catalogue.items_at([event.item for event in events])
        for event in events:
            if event.kind not in EVENT_KINDS:
                kinds = ", ".join(EVENT_KINDS)
                raise UnknownNameError(f"There is no kind {event.kind!r}; there are: {kinds}.")

    def record(self, events: Sequence[Event]) -> None:
        """Keep what users did; the next answers know it. An event with a known id changes nothing.

        Raises:
            UnknownNameError: an item or a kind is unknown; nothing of the call is kept then.
        """
        self.check_events(events)
        self.store.add_behaviour(behaviour_of(events, time.time()))

    def knows_user(self, user: str) -> bool:
        """Whether the system has learnt from this user."""
        return self.catalogue.user_at(user) is not None

    def titles(self, text: str, limit: int = 20) -> list[dict[str, Any]]:
        """Items with ``text`` in their title."""
        return [self.catalogue.entry(item) for item in self.catalogue.search(text, limit)]

    def some_users(self, limit: int = 20) -> list[dict[str, Any]]:
        """Users spread over all of them, with how many interactions each has."""
        users, histories = self.catalogue.users, self.system.histories
        return [
            {"user": users[each], "interactions": len(histories[each])}
            for each in self.system.some_users(limit)
        ]

    def history(self, user: str, limit: int = 50) -> list[dict[str, Any]]:
        """What a user took, newest first; empty for somebody unknown."""
        query = Query(user=user)
        asked = read_query(
            query, self.system, self.variants, self.store.behaviour([user], NEWEST)[0]
        )
        return [self.catalogue.entry(item) for item in asked.history[::-1][:limit]]

    def warm_up(self) -> None:
        """Rank for a few users by each variant, so that the first query is no slower."""
        users = [each["user"] for each in self.some_users(4)]
        for variant in self.variants:
            asked = [
                read_query(Query(user=user, variant=variant), self.system, self.variants, None)
                for user in users
            ]
            self._compute([each for each in asked if len(each.history)], self.index, {})

    def close(self) -> None:
        """Nothing is held that has to be let go of; the store belongs to whoever opened it."""

    def _key(self, asked: Asked, version: Version) -> str:
        index = [version.number, version.index.kind, version.index.settings]
        made_of = [self.name, self.manifest["sha256"], *index, *asked.key()]
        digest = hashlib.blake2b(
            json.dumps(made_of, default=str).encode(), digest_size=16
        ).hexdigest()
        return f"answer:{digest}"

    def _compute(
        self, batch: Sequence[Asked], version: Version, stages: dict[str, float]
    ) -> list[bytes]:
        """Rank what can be ranked together: queries of one variant and one set of categories."""
        groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for place, asked in enumerate(batch):
            groups.setdefault((asked.variant, asked.categories), []).append(place)
        values = [NOTHING_FOUND] * len(batch)
        for (variant, _), places in groups.items():
            group = [batch[place] for place in places]
            ranked = self.stages.rank(
                [UNKNOWN_USER if each.user is None else each.user for each in group],
                [each.history for each in group],
                max(each.k for each in group),
                variant,
                [each.blocked for each in group],
                group[0].allowed,
                version.index,
            )
            for place, items, scores in zip(places, ranked.items, ranked.scores, strict=True):
                values[place] = self._packed(batch[place], items, scores)
            for name, milliseconds in ranked.stages.items():
                stages[name] = stages.get(name, 0.0) + milliseconds
        return values

    def _packed(self, asked: Asked, items: np.ndarray, scores: np.ndarray) -> bytes:
        there = items[: asked.k] >= 0
        items, scores = items[: asked.k][there], scores[: asked.k][there]
        if not len(items):
            return NOTHING_FOUND
        return pack(items, scores, asked.history[self.stages.why(asked.history, items)])

    def _unpacked(self, asked: Asked, value: bytes, freshness: str, stages: dict) -> Answer:
        items = unpack(self.catalogue, value)
        shown = {"cache": stages["cache"]} if freshness == "hit" else dict(stages)
        return Answer(items, "model", freshness, self.name, asked.variant, shown)

    def _popular(self, asked: Asked) -> Answer:
        hidden = np.concatenate([asked.history, asked.blocked])
        found, popularity = self._popular_items.best(asked.k, hidden, asked.allowed)
        items = listed(self.catalogue, found, popularity, [Reason("popular")] * len(found))
        return Answer(items, "popularity", "miss", self.name, asked.variant)
