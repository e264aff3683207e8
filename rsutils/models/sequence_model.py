"""What SASRec and BERT4Rec share: a transformer over histories, and scores from its last state."""

import copy
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from rsutils.data.interactions import Interactions
from rsutils.evaluate import full_ranking
from rsutils.models.base import Recommender
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.popularity import item_counts
from rsutils.models.saving import KerasSaving
from rsutils.models.transformer import TransformerConfig, build
from rsutils.training import enable_lora, fit, keep_best, merge_lora
from rsutils.training.item_prediction import LOSSES, ItemPrediction
from rsutils.training.sequence_batches import LengthBatches, Sequences, places

USERS = 256
"""Histories that go through the transformer at a time when scoring."""
COUNTS = ("dimensions", "blocks", "heads", "length", "negatives", "epochs", "batch_size")
MEASUREMENTS = 20
"""How often validation items are ranked in the course of training."""


class SequenceModel(KerasSaving, Recommender):
    """A recommender whose only knowledge of a user is the order of their items.

    It has no vector for a user, so a new history needs no refit: see :meth:`observe`. What it saves
    holds the histories too, since scores are made from them.

    Attributes:
        model_: the functional Keras model that ``rsutils.models.transformer.build`` gives.
        token_, start_: the histories, as ``rsutils.training.sequence_batches.Sequences`` holds
            them.
        popularity_: (n_items,) float32, scores of users without a history.
        trained_parameters_: how many numbers the last training changed.
    """

    causal: bool
    title: str
    learnt_arrays = ("popularity_", "token_", "start_")

    def __init__(self, **settings: Any) -> None:
        """Check and keep what both models' constructors take."""
        check_counts(**{name: settings[name] for name in COUNTS})
        check_positive(learning_rate=settings["learning_rate"])
        check_range(0, 0.99, dropout=settings["dropout"])
        dimensions, heads, loss = (settings[name] for name in ("dimensions", "heads", "loss"))
        if dimensions % heads:
            raise ValueError(f"dimensions is {dimensions}; expected a multiple of heads={heads}.")
        if loss not in LOSSES:
            raise ValueError(f"loss is {loss!r}; expected one of {', '.join(LOSSES)}.")
        vars(self).update(settings)

    def fit(
        self,
        interactions: Interactions,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        validation: Interactions | None = None,
    ) -> Self:
        """Run ``epochs`` passes over the users; order within a user is by time.

        Args:
            interactions: what to learn from.
            callbacks: for Keras; while they run, the model already gives scores.
            validation: items that came after. With them NDCG@10 is measured now and then, training
                stops when it has long ceased to grow, and the best weights stay.
        """
        self._start_fit(interactions)
        self._use(build(keras, self.config()))
        return self._train(interactions, callbacks, validation)

    def fine_tune(
        self,
        interactions: Interactions,
        epochs: int,
        learning_rate: float,
        lora_rank: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        validation: Interactions | None = None,
    ) -> Self:
        """A model that goes on from these weights with other users; this one stays as it is.

        Args:
            interactions: what to learn from, over the same items.
            epochs: passes over the users.
            learning_rate: at its highest.
            lora_rank: train only two thin matrices beside each large one, of this inner dimension
                (Hu et al. 2021, "LoRA", arXiv:2106.09685, section 4.1); None trains all weights.
            callbacks: for Keras.
            validation: as in :meth:`fit`.

        Raises:
            ValueError: an argument is out of its range, or the items are others.
        """
        check_counts(epochs=epochs)
        check_positive(learning_rate=learning_rate)
        self._check_items(interactions)
        tuned = copy.copy(self)
        tuned.epochs, tuned.learning_rate = epochs, learning_rate
        tuned._start_fit(interactions)
        tuned._use(build(keras, self.config()))
        tuned.model_.set_weights(self.model_.get_weights())
        if lora_rank is None:
            return tuned._train(interactions, callbacks, validation)
        enable_lora(tuned.model_, lora_rank, self.seed)
        tuned._train(interactions, callbacks, validation)
        plain = build(keras, self.config())
        merge_lora(tuned.model_, plain)
        tuned._use(plain)
        return tuned

    def _use(self, model: Any) -> None:
        self.model_ = model
        self._prepare_scoring()

    def _prepare_scoring(self) -> None:
        ids = tf.TensorSpec((None, None), tf.int32)
        given, last = {"item": ids, "place": ids}, tf.TensorSpec((None,), tf.int32)
        self._last_states = tf.function(self._last_states_of, input_signature=[given, last])

    def _train(
        self,
        interactions: Interactions,
        callbacks: Sequence[keras.callbacks.Callback],
        validation: Interactions | None,
    ) -> Self:
        self.trained_parameters_ = sum(math.prod(w.shape) for w in self.model_.trainable_weights)
        self.popularity_ = item_counts(interactions) / np.float32(len(interactions))
        batches = self._batches(self._remember(interactions))
        if not len(batches):
            raise ValueError(
                f"No user has two items; {type(self).__name__} learns from what follows what."
            )
        fit(
            ItemPrediction(
                self.model_,
                "items",
                self.n_items_,
                self.loss,
                batches.mean_places,
                self.negatives,
                self.seed,
            ),
            batches,
            None,
            self.learning_rate,
            self.epochs,
            self.title if self.progress else None,
            [*self._stop_by(validation, interactions), *callbacks],
            warmup=0.05,
            jit_compile=False,
        )
        return self

    def _stop_by(
        self, validation: Interactions | None, known: Interactions
    ) -> list[keras.callbacks.Callback]:
        if validation is None:
            return []

        def score() -> float:
            report = full_ranking(self, validation, exclude=known, metrics=("ndcg",))
            return report["ndcg@10"]

        return keep_best("ndcg@10", score, every=max(1, self.epochs // MEASUREMENTS))

    def observe(self, interactions: Interactions) -> Self:
        """Score from these histories from now on, without learning from them.

        The users may be others than those the model was fitted on.

        Raises:
            ValueError: the table is over another number of items.
        """
        self._check_items(interactions)
        self._remember(interactions)
        self.n_users_ = interactions.n_users
        return self

    def _check_items(self, interactions: Interactions) -> None:
        self._known_users([])
        if interactions.n_items != self.n_items_:
            raise ValueError(
                f"The histories cover {interactions.n_items} items; expected {self.n_items_}, as "
                "the model was fitted."
            )

    @property
    def histories_(self) -> Sequences:
        """The users' histories that scores are made from."""
        return Sequences(self.token_, self.start_, self.n_items_)

    def _remember(self, interactions: Interactions) -> Sequences:
        histories = Sequences.of(interactions)
        self.token_, self.start_ = histories.token, histories.start
        return histories

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Inner products of the last state and every item: (len(users), n_items) float32."""
        users = self._known_users(users)
        table = keras.ops.convert_to_numpy(self.model_.get_layer("items").embeddings)
        scores = self.states(users) @ table[1 : self.n_items_ + 1].T
        scores[self.histories_.lengths()[users] == 0] = self.popularity_
        return scores

    def states(self, users: np.ndarray) -> np.ndarray:
        """The state after each user's last item: (len(users), dimensions) float32."""
        users = self._known_users(users)
        states = np.empty((len(users), self.dimensions), np.float32)
        for start in range(0, len(users), USERS):
            item = self._asked(users[start : start + USERS])
            given = {"item": item, "place": places(item, self.length)}
            last = np.maximum((item > 0).sum(axis=1) - 1, 0).astype(np.int32)
            states[start : start + USERS] = self._last_states(given, last).numpy()
        return states

    def config(self) -> TransformerConfig:
        """What built ``model_``; pass it to ``build`` with ``tf_keras`` for the twin."""
        self._known_users([])
        return TransformerConfig(
            n_tokens=self.n_items_ + (1 if self.causal else 2),
            length=self.length,
            causal=self.causal,
            dimensions=self.dimensions,
            blocks=self.blocks,
            heads=self.heads,
            dropout=self.dropout,
            seed=self.seed,
        )

    def _last_states_of(self, given: dict[str, Any], last: Any) -> Any:
        return tf.gather(self.model_(given, training=False), last, batch_dims=1)

    @abstractmethod
    def _batches(self, sequences: Sequences) -> LengthBatches:
        """What ``fit`` trains on."""

    @abstractmethod
    def _asked(self, users: np.ndarray) -> np.ndarray:
        """Sequences whose last state is compared with the items: (len(users), n) int32."""
