import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax

from rsutils.data.interactions import Interactions
from rsutils.models.softmax_sgd import SoftmaxSGD, rows_of_users, softmax_gradient


@pytest.fixture
def log():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((12, 8)) < 0.5)
    return Interactions.of(user, item, n_users=13, n_items=8)


def likelihood(U, V, b, taken, l2):
    total = (taken * log_softmax(U @ V.T + b, axis=1)).sum()
    norms = np.square(U).sum(axis=1)[:, None] + np.square(V).sum(axis=1)
    return total - l2 / 2 * (taken * norms).sum()


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_the_gradient_is_that_of_finite_differences(l2):
    rng = np.random.default_rng(0)
    parameters = [rng.standard_normal(shape) for shape in ((3, 2), (5, 2), (5,))]
    taken = np.array([[1, 0, 2, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0]], float)
    gradients = softmax_gradient(*parameters, sparse.csr_matrix(taken), l2)
    for which, gradient in enumerate(gradients):
        assert gradient.shape == parameters[which].shape
        for place in np.ndindex(gradient.shape):
            sides = []
            for nudge in (1e-5, -1e-5):
                moved = [p.copy() for p in parameters]
                moved[which][place] += nudge
                sides.append(likelihood(*moved, taken, l2))
            assert gradient[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-7)


def test_large_scores_do_not_overflow():
    U, V, b = np.array([[1000.0]]), np.array([[1.0], [-1.0]]), np.zeros(2)
    assert softmax_gradient(U, V, b, sparse.csr_matrix([[0.0, 1.0]]))[2].tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("row_items", [1, 3, 100])
def test_rows_hold_every_interaction_once(log, row_items):
    users, taken = rows_of_users(log, row_items, np.random.default_rng(0))
    per_row = np.asarray(taken.sum(axis=1)).ravel()
    assert per_row.min() >= 1
    assert per_row.max() <= row_items
    assert np.bincount(users).max() == -(-np.bincount(log.user).max() // row_items)
    again = np.zeros((13, 8))
    np.add.at(again, users, taken.toarray())
    assert np.array_equal(again, log.to_csr().toarray())


def test_repeated_pairs_in_a_row_count_as_often_as_they_occur():
    log = Interactions.of([0, 0, 0], [1, 1, 0])
    _, taken = rows_of_users(log, 10, np.random.default_rng(0))
    assert taken.toarray().tolist() == [[1, 2]]


def test_training_raises_the_likelihood(log):
    def mean_log_likelihood(epochs):
        model = SoftmaxSGD(dimensions=4, learning_rate=0.1, l2=0, epochs=epochs, progress=False)
        logits = model.fit(log).scores(log.user)
        return log_softmax(logits, axis=1)[np.arange(len(log)), log.item].mean()

    short, long = mean_log_likelihood(1), mean_log_likelihood(100)
    assert short < -1.9
    # Four items a user on average: -log(4) is what spreading over just these would give.
    assert long > -1.6


def test_divergence_is_an_error_and_not_a_model(log):
    with (
        pytest.raises(FloatingPointError, match="lower it"),
        np.errstate(all="ignore"),
    ):
        SoftmaxSGD(learning_rate=1e6, l2=1.0, progress=False).fit(log)


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", 0.0), ("l2", -1.0), ("row_items", 0), ("dimensions", 0)]
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        SoftmaxSGD(**{name: value})
