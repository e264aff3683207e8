import numpy as np
import pytest

from rsutils.data.interactions import Interactions
from rsutils.models import als
from rsutils.models.als import IALS
from rsutils.models.als_solver import newton_blocks, problems_of


@pytest.fixture
def log():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((40, 25)) < 0.2)
    return Interactions.of(user, item, n_users=41, n_items=26)


def model_of(**settings):
    return IALS(**{"dimensions": 6, "l2": 0.02, "progress": False} | settings)


def normal_equations(model, items):
    """The exact factor of a user who took ``items``, item factors given."""
    V = model.item_factors_.astype(float)
    weight = len(items) + model.unobserved_weight * len(V)
    A = V[items].T @ V[items] + model.unobserved_weight * V.T @ V
    A += model.l2 * weight**model.frequency_scaling * np.eye(V.shape[1])
    return np.linalg.solve(A, V[items].sum(axis=0))


@pytest.mark.parametrize("frequency_scaling", [0.0, 0.5, 1.0])
def test_users_solve_the_normal_equations(log, frequency_scaling):
    model = model_of(frequency_scaling=frequency_scaling, block_size=6).fit(log)
    for user in (0, 7, 39):
        expected = normal_equations(model, log.item[log.user == user])
        np.testing.assert_allclose(model.user_factors_[user], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("block_size", [1, 2, 6, 100])
def test_the_objective_never_rises(log, block_size):
    losses = [model_of(epochs=n, block_size=block_size).fit(log).objective() for n in range(1, 8)]
    assert (np.diff(losses) <= 1e-4).all()
    assert losses[-1] < losses[0]


def test_blocks_converge_to_the_objective_of_exact_solves(log):
    exact = model_of(epochs=200, block_size=6).fit(log).objective()
    blocks = model_of(epochs=200, block_size=2).fit(log).objective()
    assert blocks == pytest.approx(exact, rel=1e-3)


def test_users_placed_by_blocks_score_nearly_as_their_histories(log):
    model = model_of(epochs=200, block_size=2).fit(log)
    scores = model.scores_for_history(log.to_csr())
    np.testing.assert_allclose(model.scores(np.arange(41)), scores, atol=0.01)


def test_the_objective_by_hand():
    model = model_of(dimensions=1, l2=0.5, unobserved_weight=0.1)
    model.fit(Interactions.of([0, 1], [0, 1]))
    model.user_factors_ = np.array([[1.0], [2.0]], np.float32)
    model.item_factors_ = np.array([[1.0], [0.5]], np.float32)
    # Seen: (0, 0) scores 1, (1, 1) scores 1. All pairs: 1, .5, 2, 1. Each has 1 + .1 * 2 = 1.2.
    expected = 0.1 * (1 + 0.25 + 4 + 1) + 0.5 * 1.2 * (1 + 4 + 1 + 0.25)
    assert model.objective() == pytest.approx(expected, rel=1e-6)


def test_one_block_is_the_least_squares_solution():
    rng = np.random.default_rng(0)
    Y, x = rng.standard_normal((3, 7, 4)), rng.standard_normal((3, 4))
    gram, l2 = 0.1 * np.eye(4) + 0.1, np.array([0.1, 0.2, 0.3])
    found = newton_blocks(x, Y, gram, l2, block_size=4)
    for row in range(3):
        A = Y[row].T @ Y[row] + gram + l2[row] * np.eye(4)
        np.testing.assert_allclose(found[row], np.linalg.solve(A, Y[row].sum(axis=0)))


@pytest.mark.parametrize("size", [1, 3, 50, 10_000])
def test_problems_hold_every_history_once(log, size):
    history = log.to_csr()
    found = {}
    for problem in problems_of(history, np.arange(41.0), size):
        assert problem.taken.size <= size or len(problem.rows) == 1
        for row, taken, l2 in zip(problem.rows, problem.taken, problem.l2, strict=True):
            assert row not in found
            assert l2 == row
            found[row] = sorted(taken[taken < 26])
    assert found == {row: sorted(history[row].indices) for row in range(41)}


def test_neither_threads_nor_chunks_change_the_factors(log, monkeypatch):
    one = model_of(threads=1).fit(log).item_factors_
    assert np.array_equal(model_of(threads=4).fit(log).item_factors_, one)
    monkeypatch.setattr(als, "CHUNK", 60)
    np.testing.assert_allclose(model_of(threads=2).fit(log).item_factors_, one, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dimensions", 0),
        ("l2", 0.0),
        ("unobserved_weight", -1.0),
        ("frequency_scaling", 1.5),
        ("epochs", 2.5),
        ("block_size", 0),
        ("threads", 0),
    ],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        IALS(**{name: value})
