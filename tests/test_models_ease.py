import numpy as np
import pytest

from rsutils.data.interactions import Interactions
from rsutils.models.ease import EASE, _mirror_upper, ease_weights


@pytest.fixture
def log():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((40, 9)) < 0.4)
    return Interactions.of(user, item, n_users=40, n_items=9)


def closed_form(X, l2):
    P = np.linalg.inv(X.T @ X + l2 * np.eye(X.shape[1]))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    return B


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_are_the_closed_form(log, dtype):
    X = log.to_csr().toarray().astype(float)
    model = EASE(l2=2.0, dtype=dtype).fit(log)
    np.testing.assert_allclose(model.weights_, closed_form(X, 2.0), atol=1e-5)
    assert model.weights_.dtype == np.float32
    np.testing.assert_allclose(model.scores([3, 7]), X[[3, 7]] @ model.weights_, atol=1e-5)


def test_the_diagonal_is_zero_and_the_loss_is_least(log):
    X = log.to_csr().toarray().astype(float)

    def loss(B):
        return np.square(X - X @ B).sum() + 2.0 * np.square(B).sum()

    B = EASE(l2=2.0, dtype="float64").fit(log).weights_.astype(float)
    assert np.array_equal(np.diag(B), np.zeros(9))
    rng = np.random.default_rng(1)
    for _ in range(20):
        nudge = 0.01 * rng.standard_normal(B.shape)
        np.fill_diagonal(nudge, 0)
        assert loss(B + nudge) > loss(B)


@pytest.mark.parametrize("n", [1, 4, 7, 8])
def test_mirror_copies_the_upper_triangle(n):
    matrix = np.arange(n * n, dtype=float).reshape(n, n)
    expected = np.triu(matrix) + np.triu(matrix, 1).T
    _mirror_upper(matrix, block=3)
    assert np.array_equal(matrix, expected)


def test_a_matrix_without_inverse_is_refused():
    with pytest.raises(ValueError, match="raise l2"):
        ease_weights(np.ones((2, 2), np.float32))


@pytest.mark.parametrize("settings", [{"l2": 0.0}, {"l2": np.nan}, {"dtype": "float16"}])
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} is"):
        EASE(**settings)
