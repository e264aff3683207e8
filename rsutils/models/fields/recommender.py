"""A recommender that knows users and items by their attributes too, so that new ones get scores."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.fields.networks import (
    KINDS,
    WITHOUT_HIDDEN,
    FieldConfig,
    build,
    import_layers_of,
)
from rsutils.models.fields.side import SideTable, values_of
from rsutils.models.fields.train import JIT
from rsutils.models.pairs import scores_of_pairs
from rsutils.models.saving import KerasSaving
from rsutils.training import EpochBatches, PairBatches, fit, penalised


class AttributeRecommender(KerasSaving, Recommender):
    """Is this pair taken? One of the ``KINDS`` over user, item and the attributes of both.

    Minimises the binary cross-entropy of observed pairs and of ``negatives`` drawn for each, as
    ``NCF`` does. In training a share ``hidden_ids`` of the user and item ids is replaced by one id
    for "unknown", so that the attributes learn to stand alone (after Volkovs et al. 2017,
    "DropoutNet", section 4.1). A user or an item without interactions is scored as unknown, by its
    attributes.

    Args:
        users: columns of attributes, row u describes user u, or None. A value is a category, or a
            tuple of them, or a text of several with a bar between.
        items: columns of attributes, row i describes item i, or None.
        kind: ``"fm"`` or another of the ``KINDS``.
        dimensions: length of a factor.
        hidden: units of each hidden layer; ``"lr"`` and ``"fm"`` have none.
        l2: strength of the penalty on factors.
        hidden_ids: share of ids replaced in training, from 0 to 0.9.
        negatives: pairs drawn for each observed one.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        epochs: passes over the interactions.
        batch_size: observed pairs a step.
        seed: of the first weights, the order, the negatives and what is hidden.
        progress: show a progress bar.

    Attributes:
        model_: the functional Keras model over feature ids.
        user_features_, item_features_: (n_users, n) and (n_items, m) int32, what it is given.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> log = Interactions.of([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 2, 3], n_items=6)
        >>> films = pd.DataFrame({"genre": ["war", "war", "love", "love", "war", "love"]})
        >>> model = AttributeRecommender(items=films, epochs=60, progress=False).fit(log)
        >>> war, love = model.scores([0])[0, [4, 5]]  # films that nobody has seen
        >>> bool(war > love)
        True
    """

    learnt_arrays = ("user_features_", "item_features_")
    learnt_sizes = ("n_users_", "n_items_", "n_features_")

    def __init__(
        self,
        users: pd.DataFrame | Mapping[str, Sequence[object]] | None = None,
        items: pd.DataFrame | Mapping[str, Sequence[object]] | None = None,
        kind: str = "fm",
        dimensions: int = 16,
        hidden: Sequence[int] = (64,),
        l2: float = 0.0001,
        hidden_ids: float = 0.2,
        negatives: int = 4,
        learning_rate: float = 0.02,
        epochs: int = 10,
        batch_size: int = 2048,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        if kind not in KINDS or kind == "lr":
            known = ", ".join(each for each in KINDS if each != "lr")
            raise ValueError(f"kind is {kind!r}; expected one of {known}.")
        if not hidden and kind not in WITHOUT_HIDDEN:
            raise ValueError(f"hidden is {hidden!r}; expected at least one layer for {kind!r}.")
        check_counts(
            dimensions=dimensions,
            negatives=negatives,
            epochs=epochs,
            batch_size=batch_size,
            **{f"hidden[{place}]": units for place, units in enumerate(hidden)},
        )
        check_positive(learning_rate=learning_rate)
        check_range(0, float("inf"), l2=l2)
        check_range(0, 0.9, hidden_ids=hidden_ids)
        self.users = users if users is None else pd.DataFrame(users)
        self.items = items if items is None else pd.DataFrame(items)
        self.kind = kind
        self.dimensions = dimensions
        self.hidden = tuple(hidden)
        self.l2 = l2
        self.hidden_ids = hidden_ids
        self.negatives = negatives
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.progress = progress

    def config(self) -> FieldConfig:
        """What built ``model_``; pass it to ``build`` with ``tf_keras`` for the twin."""
        self._known_users([])
        return FieldConfig(
            self.kind,
            self.n_features_,
            self.user_features_.shape[1] + self.item_features_.shape[1],
            self.dimensions,
            hidden=self.hidden,
            seed=self.seed,
        )

    def fit(
        self, interactions: Interactions, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> Self:
        """Run ``epochs`` passes; ``callbacks`` go to Keras.

        Raises:
            ValueError: ``interactions`` is empty, or attributes do not cover its users and items.
        """
        self._start_fit(interactions)
        users = SideTable("users", self.users, self.n_users_, offset=0)
        items = SideTable("items", self.items, self.n_items_, offset=users.n_features)
        users.hide_ids_without_rows(interactions.user)
        items.hide_ids_without_rows(interactions.item)
        self.user_features_, self.item_features_ = users.features, items.features
        self.n_features_ = users.n_features + items.n_features
        pairs = PairBatches(interactions, self.batch_size, self.negatives, self.seed)
        batches = AttributeBatches(pairs, users, items, self.hidden_ids)
        self.model_ = model = build(keras, self.config())
        self._prepare_scoring()
        with penalised((model.get_layer("factors").embeddings, np.float32(self.l2 / 2))):
            fit(
                model,
                batches,
                keras.losses.BinaryCrossentropy(from_logits=True),
                self.learning_rate,
                self.epochs,
                self.kind if self.progress else None,
                callbacks,
                jit_compile=JIT,
            )
        return self

    def _settings(self) -> dict[str, Any]:
        tables = {"users": self.users, "items": self.items}
        return super()._settings() | {
            name: table
            if table is None
            else {column: [values_of(value) for value in table[column]] for column in table}
            for name, table in tables.items()
        }

    def _register_layers(self) -> None:
        import_layers_of(self.kind)

    def _prepare_scoring(self) -> None:
        self._logits = tf.function(partial(self.model_, training=False), jit_compile=True)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The logit of every pair: (len(users), n_items) float32."""
        users = self._known_users(users)

        def logits(user: np.ndarray, item: np.ndarray) -> np.ndarray:
            sides = [self.user_features_[user], self.item_features_[item]]
            return self._logits(np.concatenate(sides, axis=1)).numpy()

        return scores_of_pairs(users, self.n_items_, logits)


class AttributeBatches(EpochBatches):
    """Pairs as rows of feature ids, a share of their user and item ids hidden.

    Args:
        pairs: observed and drawn pairs.
        users: the users' features.
        items: the items' features.
        hidden_ids: share of ids replaced by "unknown".
    """

    def __init__(
        self, pairs: PairBatches, users: SideTable, items: SideTable, hidden_ids: float
    ) -> None:
        self.pairs = pairs
        self.sides = {"user": users, "item": items}
        self.hidden_ids = hidden_ids
        super().__init__(pairs.seed)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw order, negatives and what is hidden in each batch."""
        self.pairs.draw(rng)
        self.hiding = int(rng.integers(2**31))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        pair, label = self.pairs[index]
        rng = np.random.default_rng([self.hiding, index])
        features = []
        for name, side in self.sides.items():
            found = side.features[pair[name]]
            found[rng.random(len(found)) < self.hidden_ids, 0] = side.unknown
            features.append(found)
        return np.concatenate(features, axis=1), label
