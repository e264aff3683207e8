"""What BERT4Rec trains on: histories with some items hidden, the hidden ones as targets."""

import numpy as np

from rsutils.training.sequence_batches import NO_ITEM, LengthBatches, Sequences, places

LAST_ONLY = 0.1
"""Share of the users of an epoch who hide their last item and nothing else."""


class MaskedBatches(LengthBatches):
    """Mini-batches of users: their items with some hidden, and what was hidden.

    (Sun et al. 2019, "BERT4Rec", section 3.6.) A tenth of the users hide only their last item, as
    when the model is asked for the next one.

    Args:
        sequences: the users' histories; users with one item are left out.
        length: most items of a user.
        batch_size: users a batch.
        masked: share of a user's items that is hidden, at least one.
        seed: of the order and of what is hidden.
    """

    def __init__(
        self, sequences: Sequences, length: int, batch_size: int, masked: float, seed: int
    ) -> None:
        self.masked = masked
        self.hidden_token = sequences.n_items + 1
        super().__init__(sequences, sequences.lengths(), length, batch_size, seed)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw the batches, and for each place a number that decides whether it is hidden."""
        super().draw(rng)
        self.luck = rng.random((len(self.sequences.start) - 1, self.length), np.float32)
        self.last_only = rng.random(len(self.sequences.start) - 1) < LAST_ONLY

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        users = self.batches[index]
        item = self.sequences.padded(users, self.widest(users))
        hidden = self._hidden(users, item != NO_ITEM)
        target = np.where(hidden, item, NO_ITEM)
        shown = np.where(hidden, np.int32(self.hidden_token), item)
        return {"item": shown, "place": places(item, self.length)}, target

    def _hidden(self, users: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Which places are hidden: (len(users), n) bool, at least one a user."""
        luck = np.where(present, self.luck[users, : present.shape[1]], np.inf)
        hidden = (luck < self.masked) | (luck == luck.min(axis=1, keepdims=True))
        last = np.zeros_like(hidden)
        last[np.arange(len(users)), present.sum(axis=1) - 1] = True
        return np.where(self.last_only[users][:, None], last, hidden & present)
