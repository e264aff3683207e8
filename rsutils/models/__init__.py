"""Models behind one protocol; importing this package does not import TensorFlow."""

from rsutils import lazy
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


__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF, beside=__all__)
