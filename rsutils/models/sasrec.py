"""SASRec: a causal transformer that predicts, at every place of a history, the item after it."""

import numpy as np

from rsutils.models.sequence_model import SequenceModel
from rsutils.training.sequence_batches import NextItemBatches, Sequences


class SASRec(SequenceModel):
    """What is taken next, given everything before it, in order.

    Kang and McAuley 2018, "Self-attentive sequential recommendation", arXiv:1808.09781, with a
    choice of losses: their own ``"one_negative"``, and the softmax over all items or a sample of
    them, with which the same network does much better (Klenitskiy and Vasilev 2023, "Turning dross
    into gold loss", arXiv:2309.07602).

    Args:
        dimensions: length of a state.
        blocks: attention and feed-forward, one after the other.
        heads: parts that attention splits the dimensions into.
        length: most items of a user that are looked at, the latest.
        dropout: share of numbers hidden in training.
        loss: ``"sampled_softmax"``, ``"full_softmax"`` or ``"one_negative"``.
        negatives: items that stand for all others in a batch of ``"sampled_softmax"``.
        learning_rate: of Adam at its highest; it rises for a twentieth of the steps, then falls.
        epochs: passes over the users.
        batch_size: users a step.
        seed: of the first weights, the order, the negatives and dropout.
        progress: show a progress bar.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> from rsutils.data import Interactions
        >>> log = Interactions.of(user=[0, 0, 0, 1, 1, 1, 2], item=[0, 1, 2, 0, 1, 2, 1])
        >>> model = SASRec(8, learning_rate=0.05, epochs=30, dropout=0.0, progress=False).fit(log)
        >>> model.recommend([2], k=1, exclude=log)
        array([[2]], dtype=int32)
    """

    causal = True
    title = "SASRec"

    def __init__(
        self,
        dimensions: int = 64,
        blocks: int = 2,
        heads: int = 1,
        length: int = 200,
        dropout: float = 0.2,
        loss: str = "sampled_softmax",
        negatives: int = 256,
        learning_rate: float = 0.001,
        epochs: int = 60,
        batch_size: int = 128,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        super().__init__(
            dimensions=dimensions,
            blocks=blocks,
            heads=heads,
            length=length,
            dropout=dropout,
            loss=loss,
            negatives=negatives,
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            progress=progress,
        )

    def _batches(self, sequences: Sequences) -> NextItemBatches:
        return NextItemBatches(sequences, self.length, self.batch_size, self.seed)

    def _asked(self, users: np.ndarray) -> np.ndarray:
        return self.histories_.padded(users, self.length)
