"""The functional Keras model that scores as a fitted recommender does, to be exported."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from scipy import sparse

from rsutils.models.als import IALS
from rsutils.models.base import Recommender
from rsutils.models.cdae import CDAE
from rsutils.models.ease import EASE
from rsutils.models.fields.recommender import AttributeRecommender
from rsutils.models.neighbours import ItemNeighbours
from rsutils.models.pair_recommender import PairRecommender
from rsutils.models.sequence_model import SequenceModel
from rsutils.models.softmax_cf import SoftmaxCF
from rsutils.serve.scoring_layers import AskedSequence, HistoryOrEmpty, LastState, UnitHistory
from rsutils.serve.signature import check_exportable, checked_inputs, named_call


def scoring_model(model: Recommender) -> Any:
    """The functional Keras model whose output are the scores of a fitted recommender.

    Every layer has a name of its own. What the model reads depends on the recommender:

    ========================== ============================================== ==============
    recommender                inputs                                         output
    ========================== ============================================== ==============
    SoftmaxCF, IALS            user (n,)                                      (n, n_items)
    EASE, ItemNeighbours       history (n, n_items), 1 for an item taken      (n, n_items)
    CDAE                       user (n,), history (n, n_items)                (n, n_items)
    SASRec, BERT4Rec           item (n, width), the latest items in order,    (n, n_items)
                               counted from 1, 0 behind them where there are
                               fewer
    NCF, Student               user (n,), item (n,)                           (n, 1)
    AttributeRecommender       features (n, n_fields), ids of features        (n, 1)
    ========================== ============================================== ==============

    Ids are int32, scores and histories float32. Popularity for who has no history is part of the
    model where the output has all items: it is one more dimension, which nobody else uses. For
    pairs it is not, since the network of a pair does not know the item's popularity.

    Args:
        model: a fitted recommender.

    Raises:
        TypeError: the recommender is none of these.
        RuntimeError: it has not been fitted.

    Example:
        >>> from rsutils.data import Interactions
        >>> from rsutils.models import EASE
        >>> ease = EASE(l2=1.0).fit(Interactions.of(user=[0, 0, 1], item=[0, 1, 0]))
        >>> network = scoring_model(ease)
        >>> network(np.array([[0.0, 1.0], [0.0, 0.0]])).numpy().round(2)
        array([[0.5 , 0.  ],
               [0.67, 0.33]], dtype=float32)
    """
    for kind, make in _MAKERS.items():
        if isinstance(model, kind):
            model._known_users([])
            return make(model)
    raise TypeError(
        f"{type(model).__name__} has no Keras model that scores; expected one of "
        f"{', '.join(kind.__name__ for kind in _MAKERS)} or of a class made from them."
    )


def scoring_tables(model: Recommender) -> dict[str, Any]:
    """What ``FileRecommender`` needs beside the file of :func:`scoring_model`, by argument.

    Args:
        model: a fitted recommender that :func:`scoring_model` takes.
    """
    if isinstance(model, SequenceModel):
        taken = model.token_ - np.int32(1)
        shape = model.n_users_, model.n_items_
        return {"history": sparse.csr_matrix((np.ones_like(taken), taken, model.start_), shape)}
    if isinstance(model, EASE | ItemNeighbours | CDAE):
        return {"history": model.history_}
    if isinstance(model, PairRecommender):
        return {"popularity": model.popularity_, "cold": model.cold_}
    if isinstance(model, AttributeRecommender):
        return {"features": (model.user_features_, model.item_features_)}
    return {}


class KerasScorer:
    """Scores by a Keras model, called as the scorers of exported files are.

    Attributes:
        model: a built functional Keras model.
        inputs: the shape of each input, by name; the batch is a word.

    Raises:
        TypeError: this is no Keras 3 model.
        ValueError: the model does not say its inputs, or has more than one output.
    """

    def __init__(self, model: Any) -> None:
        check_exportable(model)
        self.model = model
        self.inputs = {each.name: ("batch", *each.shape[1:]) for each in model.inputs}
        self._types = {each.name: np.dtype(each.dtype) for each in model.inputs}
        self._call = named_call(model).get_concrete_function()

    def __call__(self, inputs: Mapping[str, Any] | Any) -> np.ndarray:
        """The output for one batch, as the model has it: (batch, ...) float32.

        Args:
            inputs: an array for each input, by name; or just the array where there is one input.

        Raises:
            ValueError: inputs are missing or unknown, or have another shape.
        """
        arrays = checked_inputs(inputs, self.inputs, self._types)
        given = (keras.ops.convert_to_tensor(arrays[name]) for name in self.inputs)
        (found,) = self._call(*given).values()
        return found.numpy()


def _own(model: Any) -> Any:
    return model.model_


def _from_own_layers(model: CDAE) -> Any:
    """As it is, but for Keras' UnitNormalization: LiteRT makes an empty history NaN with it."""
    layer = model.model_.get_layer
    user, history = (
        keras.Input(each.shape[1:], dtype=each.dtype, name=each.name)
        for each in (model.model_.input["user"], model.model_.input["history"])
    )
    encoded = layer("encoder")(UnitHistory(name="unit")(history))
    hidden = layer("hidden")([encoded, layer("user_factors")(user)])
    return keras.Model({"user": user, "history": history}, layer("decoder")(hidden), name="cdae")


def _from_factors(model: IALS) -> Any:
    """Users without a history have 0 for all factors, and nobody else has the last dimension."""
    kernel, size = _with_popularity(model.item_factors_.T, model.popularity_)
    users = np.pad(model.user_factors_, ((0, 0), (0, 1)))
    cold = np.diff(model.history_.indptr) == 0
    users[cold], users[cold, -1] = 0.0, size
    user = keras.Input((), dtype="int32", name="user")
    table = keras.layers.Embedding(
        *users.shape, embeddings_initializer="zeros", name="user_factors"
    )
    network = keras.Model(user, _product("item_factors", kernel)(table(user)), name="ials")
    network.set_weights([users, kernel])
    return network


def _from_weights(model: EASE | ItemNeighbours) -> Any:
    weights = model.weights_ if isinstance(model, EASE) else model.similarity_.toarray()
    kernel, size = _with_popularity(weights, model.popularity_)
    history = keras.Input((model.n_items_,), name="history")
    given = HistoryOrEmpty(size, name="history_or_empty")(history)
    name = type(model).__name__.lower()
    network = keras.Model(history, _product("item_weights", kernel)(given), name=name)
    network.set_weights([kernel])
    return network


def _from_sequences(model: SequenceModel) -> Any:
    table = model.model_.get_layer("items").embeddings.numpy()
    kernel, size = _with_popularity(table[1 : model.n_items_ + 1].T, model.popularity_)
    hidden = None if model.causal else model.n_items_ + 1
    width = model.length - (hidden is not None)
    item = keras.Input((width,), dtype="int32", name="item")
    token, place = AskedSequence(model.length, hidden, name="asked")(item)
    states = model.model_({"item": token, "place": place})
    state = LastState(size, name="last_state")([states, token, item])
    scores = _product("item_scores", kernel)
    network = keras.Model(item, scores(state), name=type(model).__name__.lower())
    scores.set_weights([kernel])
    return network


def _product(name: str, kernel: np.ndarray) -> Any:
    return keras.layers.Dense(
        kernel.shape[1], use_bias=False, kernel_initializer="zeros", name=name
    )


def _with_popularity(kernel: np.ndarray, popularity: np.ndarray) -> tuple[np.ndarray, float]:
    """A kernel with one more row, and what picks that row and gives exactly the popularity.

    In no column is the new number larger than the others, so that what quantizes columns finds the
    same scales. A factor that is a power of two changes no digit.
    """
    largest = np.abs(kernel).max(axis=0)
    ratio = float(np.max(popularity[largest > 0] / largest[largest > 0], initial=0.0))
    size = 2.0 ** math.ceil(math.log2(ratio)) if ratio else 1.0
    return np.vstack([kernel, popularity / np.float32(size)]).astype(np.float32), size


_MAKERS: dict[type, Callable[[Any], Any]] = {
    SoftmaxCF: _own,
    CDAE: _from_own_layers,
    PairRecommender: _own,
    AttributeRecommender: _own,
    IALS: _from_factors,
    EASE: _from_weights,
    ItemNeighbours: _from_weights,
    SequenceModel: _from_sequences,
}
