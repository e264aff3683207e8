import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.models.popularity import Popularity


def test_counts_are_the_scores_of_everybody():
    log = Interactions.of([0, 0, 1, 2, 2], [0, 1, 1, 1, 0], n_users=4, n_items=3)
    assert np.array_equal(Popularity().fit(log).scores([3, 0]), [[2, 3, 0], [2, 3, 0]])
