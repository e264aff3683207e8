"""Models behind one protocol; importing this package does not import TensorFlow."""

from importlib import import_module

from rsutils.models.base import NOTHING, Recommender, top_k

__all__ = ["NOTHING", "Recommender", "top_k"]

_MODULE_OF = {
    "AttributeRecommender": "fields.recommender",
    "BERT4Rec": "bert4rec",
    "CDAE": "cdae",
    "EASE": "ease",
    "IALS": "als",
    "ItemNeighbours": "neighbours",
    "MarkovChain": "markov",
    "NCF": "ncf",
    "Popularity": "popularity",
    "SASRec": "sasrec",
    "SoftmaxCF": "softmax_cf",
    "SoftmaxSGD": "softmax_sgd",
}


def __getattr__(name: str) -> object:
    """Import a model's module when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"rsutils.models has no {name!r}; it has {', '.join(_MODULE_OF)}.")
    return getattr(import_module(f"rsutils.models.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, *_MODULE_OF]
