"""The transformer of SASRec and BERT4Rec: a user's items in, a state at every place out."""

import itertools
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class TransformerConfig:
    """What :func:`build` needs to know.

    Attributes:
        n_tokens: rows of the item table; row 0 stands for "no item".
        length: most items that are looked at.
        causal: whether a place sees only itself and what came before.
        dimensions: length of a state, d.
        blocks: attention and feed-forward, one after the other, this many times.
        heads: parts that attention splits the dimensions into.
        inner: units of the feed-forward layer.
        dropout: share of numbers hidden in training after every sub-layer.
        activation: of the feed-forward layer.
        seed: of the first weights and of dropout.
    """

    n_tokens: int
    length: int = 200
    causal: bool = True
    dimensions: int = 64
    blocks: int = 2
    heads: int = 1
    inner: int = 64
    dropout: float = 0.2
    activation: str = "relu"
    seed: int = 0


def build(K: ModuleType, config: TransformerConfig) -> Any:
    """States of a sequence of items (Kang and McAuley 2018, section III; Vaswani et al. 2017).

    The item's row times sqrt(d) and the place's row are added. A block takes x to
    y = norm(x) + Attention(norm(x)), and y to norm(y) + FeedForward(norm(y)), so that what is added
    to has been normed, as in SASRec's published code; a last norm makes the state. The score of
    item i after a place is the inner product of the state there and row i of the table ``items``.

    Args:
        K: ``keras``, or ``tf_keras`` for the twin that tfmot works on.
        config: sizes, dropout and the seed.

    Returns:
        A functional model from ``{"item": (batch, n), "place": (batch, n)}`` int32, n at most
        ``length``, to (batch, n, dimensions) float32. Items count from 1, places from 1, and both
        are 0 at the end of a sequence shorter than n.
    """
    make = _Layers(K, config)
    item = K.Input((None,), dtype="int32", name="item")
    place = K.Input((None,), dtype="int32", name="place")
    items = make.table("items", config.n_tokens, 0.02)(item)
    scaled = make.times("scaled", config.dimensions**0.5)(items)
    rows = [scaled, make.table("places", config.length + 1, 0.1)(place)]
    x = make.dropout("rows_dropout")(K.layers.Add(name="rows")(rows))
    for number in range(1, config.blocks + 1):
        x = _block(K, make, x, number)
    return K.Model({"item": item, "place": place}, make.norm("state")(x), name="transformer")


def _block(K: ModuleType, make: "_Layers", x: Any, number: int) -> Any:
    """Attention, then the feed-forward layers, each added to the normed input."""
    asking = make.norm(f"attention_norm_{number}")(x)
    # Attention takes the mask off what it is given, so it gets a tensor of its own.
    given = make.times(f"attention_given_{number}", 1.0)(asking)
    attention = make.attention(f"attention_{number}")(
        given, given, use_causal_mask=make.config.causal
    )
    x = K.layers.Add(name=f"attended_{number}")([asking, attention])
    x = make.norm(f"forward_norm_{number}")(x)
    z = make.dense(f"inner_{number}", make.config.inner, make.config.activation)(x)
    z = make.dropout(f"inner_dropout_{number}")(z)
    z = make.dense(f"outer_{number}", make.config.dimensions)(z)
    z = make.dropout(f"outer_dropout_{number}")(z)
    return K.layers.Add(name=f"forward_{number}")([x, z])


class _Layers:
    """Makes named layers, each with a seed of its own."""

    def __init__(self, K: ModuleType, config: TransformerConfig) -> None:
        self.K = K
        self.config = config
        self.seeds = itertools.count(config.seed + 1)

    def times(self, name: str, factor: float) -> Any:
        layer = self.K.layers.Rescaling(factor, name=name)
        layer.supports_masking = True  # The twin's layer would drop the mask.
        return layer

    def even(self) -> Any:
        return self.K.initializers.GlorotUniform(seed=next(self.seeds))

    def table(self, name: str, rows: int, stddev: float) -> Any:
        # Under a causal mask no item sees the empty places, which come last.
        return self.K.layers.Embedding(
            rows,
            self.config.dimensions,
            embeddings_initializer=self.K.initializers.TruncatedNormal(
                stddev=stddev, seed=next(self.seeds)
            ),
            mask_zero=not self.config.causal,
            name=name,
        )

    def attention(self, name: str) -> Any:
        # The twin's layer takes no seed.
        seed = {} if self.K.__name__ == "tf_keras" else {"seed": next(self.seeds)}
        return self.K.layers.MultiHeadAttention(
            self.config.heads,
            self.config.dimensions // self.config.heads,
            dropout=self.config.dropout,
            kernel_initializer=self.even(),
            name=name,
            **seed,
        )

    def dense(self, name: str, units: int, activation: str | None = None) -> Any:
        return self.K.layers.Dense(
            units, activation=activation, kernel_initializer=self.even(), name=name
        )

    def dropout(self, name: str) -> Any:
        return self.K.layers.Dropout(self.config.dropout, seed=next(self.seeds), name=name)

    def norm(self, name: str) -> Any:
        return self.K.layers.LayerNormalization(epsilon=1e-6, name=name)
