"""BERT4Rec: a transformer that sees both sides of a hidden item and fills it in."""

import numpy as np

from rsutils.models.sequence_model import SequenceModel
from rsutils.training.masked_batches import MaskedBatches
from rsutils.training.sequence_batches import Sequences


class BERT4Rec(SequenceModel):
    """Which item was hidden here? At the end of a history: which one comes next?

    Sun et al. 2019, "BERT4Rec: sequential recommendation with bidirectional encoder representations
    from transformer", arXiv:1904.06690. Nearly as good as its paper says only after far more
    training than its published code does (Petrov and Macdonald 2022, "A systematic review and
    replicability study of BERT4Rec", arXiv:2207.07483).

    Args:
        dimensions: length of a state.
        blocks: attention and feed-forward, one after the other.
        heads: parts that attention splits the dimensions into.
        length: most items of a user that are looked at, the latest, with the hidden ones.
        dropout: share of numbers hidden in training.
        masked: share of a user's items that an epoch hides, at least one.
        loss: ``"full_softmax"``, ``"sampled_softmax"`` or ``"one_negative"``.
        negatives: items that stand for all others in a batch of ``"sampled_softmax"``.
        learning_rate: of Adam at its highest; it rises for a twentieth of the steps, then falls.
        epochs: passes over the users.
        batch_size: users a step.
        seed: of the first weights, the order, what is hidden, and dropout.
        progress: show a progress bar.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> from rsutils.data import Interactions
        >>> log = Interactions.of(user=[0, 0, 0, 1, 1, 1, 2], item=[0, 1, 2, 0, 1, 2, 1])
        >>> model = BERT4Rec(8, learning_rate=0.03, epochs=60, dropout=0.0, progress=False).fit(log)
        >>> model.recommend([2], k=1, exclude=log)
        array([[2]], dtype=int32)
    """

    causal = False
    title = "BERT4Rec"

    def __init__(
        self,
        dimensions: int = 64,
        blocks: int = 2,
        heads: int = 2,
        length: int = 200,
        dropout: float = 0.2,
        masked: float = 0.2,
        loss: str = "full_softmax",
        negatives: int = 256,
        learning_rate: float = 0.001,
        epochs: int = 200,
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
        if not 0 < masked < 1:
            raise ValueError(f"masked is {masked}; expected a share between 0 and 1.")
        self.masked = masked

    def _batches(self, sequences: Sequences) -> MaskedBatches:
        return MaskedBatches(sequences, self.length, self.batch_size, self.masked, self.seed)

    def _asked(self, users: np.ndarray) -> np.ndarray:
        """The latest items, and a hidden one behind them."""
        item = self.histories_.padded(users, self.length)
        room = self.histories_.padded(users, self.length - 1)
        item[:, :-1], item[:, -1] = room, 0
        item[np.arange(len(users)), (room > 0).sum(axis=1)] = self.n_items_ + 1
        return item
