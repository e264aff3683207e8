"""A small recommender that learns from the scores of a large one."""

from collections.abc import Sequence
from typing import Self

import keras
import numpy as np
from scipy.sparse.linalg import svds

from rsutils.compress.compact_tables import CompactTable
from rsutils.compress.logit_fit import calibrate_logit
from rsutils.compress.quantized_table import CLIPPED_STEPS
from rsutils.compress.rounding import QuantizationAware
from rsutils.compress.score_distillation import check_teacher, distil
from rsutils.compress.student_network import SIDES, TABLE_SCALE, StudentConfig, build, towers
from rsutils.data.interactions import Interactions
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.pair_recommender import PairRecommender
from rsutils.models.popularity import item_counts


class Student(PairRecommender):
    """Two small towers that rank as a teacher does.

    Minimises the cross-entropy between the softmax of the teacher's scores at ``temperature`` and
    that of the student's, over the items that a user does not have (Hinton et al. 2015, section 2,
    with items in the place of classes), and for a share of 1 - ``weight`` that of the observed
    interactions. Both are taken over blocks of items drawn at random, so that a step costs a block
    and moves many users. At last scale and bias of the logit are fitted, so that its sigmoid is the
    probability that a pair was observed and not drawn, as ``NCF``'s is.

    Args:
        user_dimensions: length of a row of the user table.
        item_dimensions: length of a row of the item table.
        hidden: units of the hidden layer of each tower; 0 for none.
        features: length of the vectors whose product ranks.
        temperature: by which the teacher's scores are divided; the higher it is, the more the
            items far down the list count.
        weight: of the teacher, from 0 to 1; observed interactions have the rest.
        power: a user's n interactions count n^power all together: 1 counts interactions alike, 0
            users alike.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        epochs: passes over all users and items.
        batch_size: users a step.
        blocks: into how many blocks the items are cut.
        negatives: pairs drawn for each observed one, when the logit is fitted.
        table_bits: 8 or 4 to learn with rows rounded to so many bits (``QuantizationAware``) from
            two fifths of the epochs on, so that a file with such tables holds what was learnt.
        seed: of the first weights, the order and the blocks.
        progress: show a progress bar.

    Attributes:
        model_: the functional Keras model that ``student_network.build`` gives.
        popularity_: (n_items,) float32, scores of users without a history.
        cold_: (n_users,) bool, which users these are.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
        >>> teacher = log.to_csr() @ log.to_csr().T @ log.to_csr()
        >>> student = Student(2, 2, hidden=0, batch_size=3, blocks=1, epochs=10, progress=False)
        >>> sorted(student.fit(log, teacher.toarray()).recommend([2], k=2)[0].tolist())
        [2, 3]
    """

    def __init__(
        self,
        user_dimensions: int = 12,
        item_dimensions: int = 10,
        hidden: int = 64,
        features: int = 32,
        temperature: float = 1.5,
        weight: float = 0.4,
        power: float = 0.5,
        learning_rate: float = 0.01,
        epochs: int = 250,
        batch_size: int = 1024,
        blocks: int = 7,
        negatives: int = 4,
        table_bits: int | None = None,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        check_counts(user_dimensions=user_dimensions, item_dimensions=item_dimensions)
        check_counts(features=features, epochs=epochs, batch_size=batch_size, blocks=blocks)
        check_counts(negatives=negatives)
        check_positive(learning_rate=learning_rate, temperature=temperature)
        check_range(0, np.inf, hidden=hidden)
        check_range(0, 1, weight=weight, power=power)
        if table_bits not in (None, *CLIPPED_STEPS):
            raise ValueError(f"table_bits is {table_bits!r}; expected 8, 4 or None.")
        self.user_dimensions = user_dimensions
        self.item_dimensions = item_dimensions
        self.hidden = hidden
        self.features = features
        self.temperature = temperature
        self.weight = weight
        self.power = power
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.blocks = blocks
        self.negatives = negatives
        self.table_bits = table_bits
        self.seed = seed
        self.progress = progress

    def config(self) -> StudentConfig:
        """What built ``model_``; pass it to ``build`` with ``tf_keras`` for the twin."""
        self._known_users([])
        sizes = (self.n_users_, self.user_dimensions), (self.n_items_, self.item_dimensions)
        users, items = (
            CompactTable(n, d, stddev=0.02 / np.sqrt(d), seed=self.seed + 10 * number)
            for number, (n, d) in enumerate(sizes)
        )
        return StudentConfig(users, items, self.hidden, self.features, self.seed + 100)

    def fit(
        self,
        interactions: Interactions,
        teacher: np.ndarray,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> Self:
        """Learn the teacher's ranking.

        Args:
            interactions: what the users have.
            teacher: (n_users, n_items) scores, those that ``teacher_scores`` gives.
            callbacks: of Keras; while they run, the model already gives scores.

        Raises:
            ValueError: ``interactions`` is empty, or the scores are of another shape or not finite.
        """
        self._start_fit(interactions)
        check_teacher(teacher, (self.n_users_, self.n_items_))
        taken = interactions.to_csr()
        self.cold_ = np.diff(taken.indptr) == 0
        self.popularity_ = item_counts(interactions) / np.float32(len(interactions))
        self.model_ = build(keras, self.config())
        self._prepare_scoring()
        self._start_near(np.asarray(teacher, np.float32))
        distil(
            *towers(self.model_),
            teacher,
            taken,
            temperature=self.temperature,
            weight=self.weight,
            power=self.power,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            blocks=self.blocks,
            seed=self.seed,
            progress="student" if self.progress else None,
            callbacks=[*callbacks, *self._rounding()],
        )
        calibrate_logit(self.model_, interactions, self.negatives, self.seed)
        return self

    def _rounding(self) -> list[QuantizationAware]:
        if self.table_bits is None:
            return []
        bits = {f"{side}_factors": self.table_bits for side in SIDES}
        return [QuantizationAware(self.model_, bits, start=self.epochs * 2 // 5)]

    def _start_near(self, teacher: np.ndarray) -> None:
        """Begin with the largest singular vectors of the teacher, handed on as they are."""
        rank = min(self.user_dimensions, self.item_dimensions, self.features)
        rank = min(rank, min(teacher.shape) - 1)
        if rank < 1 or not teacher.any():
            return
        # One start for all seeds: the vectors are the teacher's, whatever they are found from.
        left, values, right = svds(teacher, rank, v0=np.ones(min(teacher.shape), np.float32))
        root = np.sqrt(values / self.temperature)
        for side, vectors in zip(SIDES, (left, right.T), strict=True):
            rows = self.model_.get_layer(f"{side}_factors").embeddings
            first = rows.numpy()
            first[:, :rank] = (vectors * root)[:, ::-1] / TABLE_SCALE
            rows.assign(first)
            last = self.model_.get_layer(f"{side}_vector").kernel
            kernel = last.numpy()
            kernel[:, :rank] = np.eye(len(kernel), rank)
            kernel[: first.shape[1], rank:] = 0
            last.assign(kernel)
