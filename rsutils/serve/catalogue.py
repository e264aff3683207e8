"""The outside's names of users and items, and what a page shows of an item."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from rsutils.data.dataset import Dataset
from rsutils.models.fields.side import values_of
from rsutils.serve.answers import UnknownNameError
from rsutils.serve.exported import checked_ids


class Catalogue:
    """Users and items by their names outside of the system.

    Args:
        users: ids, by number.
        items: ids, by number.
        titles: of the items.
        categories: of the items.

    Attributes:
        category_names: all that occur, in alphabetical order.

    Raises:
        ValueError: ids repeat or are empty, or the lists differ in length.

    Example:
        >>> shop = Catalogue(["ann"], ["a1", "a2"], ["War", "Peace"], [("old",), ()])
        >>> shop.items_at(["a2"]).tolist(), shop.mask(["old"]).tolist()
        ([1], [True, False])
        >>> shop.items_at(["a3"])
        Traceback (most recent call last):
        rsutils.serve.answers.UnknownNameError: There is no item 'a3'.
    """

    def __init__(
        self,
        users: Sequence[str],
        items: Sequence[str],
        titles: Sequence[str],
        categories: Sequence[Sequence[str]],
    ) -> None:
        if not len(items) == len(titles) == len(categories):
            raise ValueError(
                f"There are {len(items)} items, {len(titles)} titles and {len(categories)} lists "
                "of categories; expected one each."
            )
        self.users = checked_ids("users", users, len(users))
        self.items = checked_ids("items", items, len(items))
        self.titles, self.categories = list(titles), [tuple(each) for each in categories]
        self.category_names = tuple(sorted({name for each in self.categories for name in each}))
        self._user = {name: number for number, name in enumerate(self.users)}
        self._item = {name: number for number, name in enumerate(self.items)}
        self._folded = [title.casefold() for title in self.titles]
        self._members = {
            name: np.array([name in each for each in self.categories], bool)
            for name in self.category_names
        }

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """The catalogue of a data set whose users and items are numbered."""
        log, items = dataset.interactions, dataset.items
        has = () if items is None else items.columns
        n = log.n_items
        return cls(
            [str(number) for number in range(log.n_users)],
            [str(number) for number in range(n)],
            [str(t) for t in items["title"]] if "title" in has else [f"item {i}" for i in range(n)],
            [values_of(each) for each in items["genres"]] if "genres" in has else [()] * n,
        )

    def user_at(self, user: str | None) -> int | None:
        """The number of a user, or None where nobody is known by that name."""
        return None if user is None else self._user.get(user)

    def items_at(self, items: Sequence[str], among_known: bool = False) -> np.ndarray:
        """Numbers of items: (n,) int64.

        Args:
            items: ids.
            among_known: leave out what is unknown, as where another catalogue was served before.

        Raises:
            UnknownNameError: there is no such item.
        """
        numbers = [self._item.get(item, -1) for item in items]
        if among_known:
            numbers = [number for number in numbers if number >= 0]
        elif -1 in numbers:
            raise UnknownNameError(f"There is no item {items[numbers.index(-1)]!r}.")
        return np.array(numbers, np.int64)

    def mask(self, categories: Sequence[str]) -> np.ndarray | None:
        """Which items have one of ``categories``: (n_items,) bool, or None for no such condition.

        Raises:
            UnknownNameError: there is no such category.
        """
        for name in categories:
            if name not in self._members:
                known = ", ".join(self.category_names) or "none"
                raise UnknownNameError(f"There is no category {name!r}; there are: {known}.")
        if not categories:
            return None
        return np.logical_or.reduce([self._members[name] for name in categories])

    def search(self, text: str, limit: int) -> list[int]:
        """Numbers of items with ``text`` in their title, those that begin with it first."""
        text = text.casefold().strip()
        hits = [number for number, title in enumerate(self._folded) if text in title]
        hits.sort(key=lambda number: (not self._folded[number].startswith(text), number))
        return hits[:limit]

    def entry(self, item: int) -> dict[str, Any]:
        """An item as JSON has it."""
        return {
            "item": self.items[item],
            "title": self.titles[item],
            "categories": list(self.categories[item]),
        }

    def save(self, path: Path) -> None:
        """Write one JSON file."""
        content = {name: getattr(self, name) for name in ("users", "items", "titles", "categories")}
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """What ``save`` wrote."""
        content: Mapping[str, Any] = json.loads(path.read_bytes())
        return cls(**content)
