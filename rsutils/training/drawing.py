"""What trains a model against items that are drawn at random inside the graph."""

from abc import abstractmethod
from typing import Any

import keras


class DrawingModel(keras.Model):
    """A model with the loss it is trained by, and the items that this loss draws.

    It has no weights beside those of the model that it trains.

    Args:
        n_items: how many items exist.
        negatives: drawn at a time; what for is up to the loss.
        seed: of the draws.
    """

    def __init__(self, n_items: int, negatives: int, seed: int) -> None:
        super().__init__()
        self.n_items = n_items
        self.negatives = negatives
        self.draws = keras.random.SeedGenerator(seed)
        self.built = True  # BackupAndRestore asks before it restores.

    def drawn(self, shape: Any) -> Any:
        """Items, all alike: an array of ``shape``, int32."""
        return keras.random.randint(shape, 0, self.n_items, dtype="int32", seed=self.draws)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """What Keras minimises: :meth:`batch_loss`."""
        return self.batch_loss(y, y_pred)

    @abstractmethod
    def batch_loss(self, target: Any, output: Any) -> Any:
        """The loss of a batch, a scalar.

        Args:
            target: what the batches give beside the inputs; None where they give nothing.
            output: what the model makes of the inputs.
        """
