"""What every model promises, whatever it is made of."""

import subprocess
import sys

import numpy as np
import pytest

from rsutils import models
from rsutils.data.interactions import Interactions

QUIET = {"progress": False}
SMALL = {"dimensions": 16, "dropout": 0.1, "batch_size": 10}
MODELS = {
    "bert4rec": lambda seed=0: models.BERT4Rec(
        **SMALL, learning_rate=0.02, epochs=40, seed=seed, **QUIET
    ),
    "sasrec": lambda seed=0: models.SASRec(
        **SMALL, learning_rate=0.02, epochs=20, seed=seed, **QUIET
    ),
    "cdae": lambda seed=0: models.CDAE(
        dimensions=8, learning_rate=0.05, batch_size=8, seed=seed, **QUIET
    ),
    "popularity": lambda seed=0: models.Popularity(),
    "neighbours": lambda seed=0: models.ItemNeighbours(neighbours=5, shrinkage=1.0),
    "ease": lambda seed=0: models.EASE(l2=2.0),
    "markov": lambda seed=0: models.MarkovChain(),
    "attributes": lambda seed=0: models.AttributeRecommender(
        dimensions=8, learning_rate=0.05, epochs=30, batch_size=64, seed=seed, **QUIET
    ),
    "ials": lambda seed=0: models.IALS(dimensions=8, l2=0.02, seed=seed, **QUIET),
    "ncf": lambda seed=0: models.NCF(
        8, 4, (8,), learning_rate=0.05, epochs=30, batch_size=64, seed=seed, **QUIET
    ),
    "softmax_sgd": lambda seed=0: models.SoftmaxSGD(
        dimensions=8, learning_rate=0.05, row_items=3, seed=seed, **QUIET
    ),
    "softmax_cf": lambda seed=0: models.SoftmaxCF(
        dimensions=8, learning_rate=0.05, batch_size=8, seed=seed, **QUIET
    ),
}
PERSONAL = sorted(set(MODELS) - {"popularity"})
SEEDED = ["attributes", "bert4rec", "cdae", "ials", "ncf", "sasrec", "softmax_cf", "softmax_sgd"]
HISTORY = ["ease", "ials", "neighbours"]

N_USERS, N_ITEMS, COLD = 41, 20, 40


@pytest.fixture(scope="session")
def log():
    """Even users take even items, odd users odd ones, low numbers most; user 40 has nothing."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((COLD, N_ITEMS)) < np.linspace(0.9, 0.3, N_ITEMS))
    own = user % 2 == item % 2
    order = rng.permutation(own.sum())
    return Interactions.of(user[own][order], item[own][order], n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture(scope="session")
def fitted(log):
    return {name: make().fit(log) for name, make in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_fit_returns_the_model(name, log):
    model = MODELS[name]()
    assert model.fit(log) is model


@pytest.mark.parametrize("name", MODELS)
def test_scores_have_the_promised_shape_and_are_finite(name, fitted):
    scores = fitted[name].scores(np.array([3, 0, 3, COLD]))
    assert scores.shape == (4, N_ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[0], scores[2], rtol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_no_users_give_no_rows(name, fitted):
    assert fitted[name].scores([]).shape == (0, N_ITEMS)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_the_callers_to_change(name, fitted):
    before = fitted[name].scores([1, COLD]).copy()
    np.array(fitted[name].scores([1, COLD]))[:] = -1
    fitted[name].recommend([1, COLD], k=3)
    assert np.array_equal(fitted[name].scores([1, COLD]), before)


@pytest.mark.parametrize("name", PERSONAL)
def test_taste_beats_popularity(name, fitted, log):
    """What is new to a user and of their parity stands first; popularity knows no parity."""

    def right(model):
        found = model.recommend(np.arange(COLD), k=3, exclude=log)
        return (found % 2 == np.arange(COLD)[:, None] % 2)[found >= 0].mean()

    assert right(fitted["popularity"]) < 0.5
    assert right(fitted[name]) > 0.7


@pytest.mark.parametrize("name", MODELS)
def test_a_user_without_a_history_gets_what_is_popular(name, fitted, log):
    counts = np.bincount(log.item, minlength=N_ITEMS)
    found = fitted[name].recommend([COLD], k=5, exclude=log)[0]
    assert counts[found].mean() > np.sort(counts)[-8]


@pytest.mark.parametrize("name", MODELS)
def test_excluded_items_never_come_back(name, fitted, log):
    seen = log.to_csr()
    found = fitted[name].recommend(np.arange(N_USERS), k=N_ITEMS, exclude=log)
    for user, items in enumerate(found):
        left = items[items >= 0]
        assert set(left) == set(range(N_ITEMS)) - set(seen[user].indices)
        assert (items[len(left) :] == models.NOTHING).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_second_fit_gives_the_same(name, fitted, log):
    again = MODELS[name]().fit(log).fit(log)
    users = np.arange(N_USERS)
    assert np.array_equal(again.scores(users), fitted[name].scores(users))


@pytest.mark.parametrize("name", SEEDED)
def test_another_seed_gives_another_model(name, fitted, log):
    assert not np.allclose(MODELS[name](seed=1).fit(log).scores([0]), fitted[name].scores([0]))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("user", [N_USERS, -1])
def test_an_unknown_user_is_named(name, user, fitted):
    with pytest.raises(IndexError, match=f"User {user} is unknown"):
        fitted[name].scores([0, user])
    with pytest.raises(IndexError, match=f"User {user} is unknown"):
        fitted[name].recommend([user])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("users", [3, [[1, 2]], [0.5], [True, False]])
def test_users_are_a_flat_array_of_whole_numbers(name, users, fitted):
    with pytest.raises(ValueError, match="expected a flat array"):
        fitted[name].scores(users)


@pytest.mark.parametrize("name", MODELS)
def test_before_fit_the_way_on_is_shown(name):
    with pytest.raises(RuntimeError, match=r"call fit\(interactions\)"):
        MODELS[name]().scores([0])


@pytest.mark.parametrize("name", MODELS)
def test_nothing_to_learn_from_is_refused(name):
    with pytest.raises(ValueError, match="no interactions"):
        MODELS[name]().fit(Interactions.of([], [], n_users=2, n_items=2))


@pytest.mark.parametrize("name", HISTORY)
def test_a_known_history_scores_as_its_user(name, fitted, log):
    users = np.arange(N_USERS)
    scores = fitted[name].scores_for_history(log.to_csr())
    np.testing.assert_allclose(scores, fitted[name].scores(users), atol=2e-4)


@pytest.mark.parametrize("name", HISTORY)
def test_a_history_over_other_items_is_refused(name, fitted):
    with pytest.raises(ValueError, match="covers 3 items; expected 20"):
        fitted[name].scores_for_history(np.ones((1, 3)))


def test_the_package_names_every_model():
    assert {type(make()).__name__ for make in MODELS.values()} == set(models._MODULE_OF)
    assert set(models._MODULE_OF) <= set(dir(models))
    with pytest.raises(AttributeError, match="it has AttributeRecommender, BERT4Rec, CDAE"):
        models.NeuralEASE  # noqa: B018


def test_importing_the_models_does_not_import_tensorflow():
    code = "import sys; from rsutils.models import IALS; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
