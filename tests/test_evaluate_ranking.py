"""The two protocols: what is ranked, what is left out, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.data.interactions import Interactions
from rsutils.evaluate import expected_when_sampled, full_ranking, hr, sampled
from rsutils.evaluate.metrics import METRICS
from rsutils.evaluate.ties import Ranks


class Fixed:
    """A model whose scores are given."""

    def __init__(self, scores):
        self.matrix = np.asarray(scores)

    def scores(self, users):
        return self.matrix[users]


def log(pairs, n_users, n_items):
    user, item = np.array(pairs, int).reshape(-1, 2).T
    return Interactions.of(user, item, n_users=n_users, n_items=n_items)


def world(seed, n_users=30, n_items=20, levels=6):
    """Random scores with ties, and random train and test parts without overlap."""
    rng = np.random.default_rng(seed)
    part = rng.choice(3, (n_users, n_items), p=[0.7, 0.2, 0.1])
    parts = [Interactions.of(*np.nonzero(part == p), None, None, n_users, n_items) for p in (1, 2)]
    return Fixed(rng.integers(0, levels, (n_users, n_items)).astype(np.float32)), *parts


@given(st.integers(0, 1000), st.integers(1, 50))
@settings(max_examples=25, deadline=None)
def test_full_ranking_is_each_user_alone(seed, batch_size):
    model, train, test = world(seed)
    report = full_ranking(
        model, test, exclude=train, k=(3, 7), metrics=tuple(METRICS), batch_size=batch_size
    )
    seen, relevant = train.to_csr().toarray() > 0, test.to_csr().toarray() > 0
    assert report.users.tolist() == np.flatnonzero(relevant.any(axis=1)).tolist()
    for place, user in enumerate(report.users):
        candidates = np.flatnonzero(~seen[user])
        items = np.flatnonzero(relevant[user, candidates])
        ranks = Ranks.of(model.matrix[user, candidates][None], np.zeros(len(items), int), items)
        for name, value in report.values.items():
            metric, _, k = name.partition("@")
            alone = METRICS[metric](ranks, int(k) if k else None)[0]
            assert value[place] == pytest.approx(alone), name


def test_excluded_items_are_out_of_the_way():
    model = Fixed([[9.0, 8.0, 7.0, 6.0]])
    test = log([(0, 2)], 1, 4)
    parts = [log([(0, 0)], 1, 4), log([(0, 1)], 1, 4)]
    assert full_ranking(model, test, k=1)["hr@1"] == 0.0
    assert full_ranking(model, test, exclude=parts[0], k=1)["mrr@1"] == 0.0
    assert full_ranking(model, test, exclude=parts, k=1)["hr@1"] == 1.0


def test_test_items_already_seen_are_dropped_and_counted():
    test = log([(0, 0), (0, 1), (1, 1)], 2, 3)
    report = full_ranking(Fixed(np.ones((2, 3))), test, exclude=log([(0, 0), (1, 1)], 2, 3), k=1)
    assert report.dropped == 2
    assert report.users.tolist() == [0]
    assert report["hr@1"] == pytest.approx(0.5)
    assert "2 test items already seen" in repr(report)


def test_repeats_count_once_and_the_model_is_left_as_it_was():
    model = Fixed([[3.0, 2.0, 1.0]])
    model.scores = lambda users: model.matrix[: len(users)]  # a view, as of a cache
    test = log([(0, 1), (0, 1)], 1, 3)
    assert full_ranking(model, test, exclude=log([(0, 0)], 1, 3), k=1)["recall@1"] == 1.0
    assert model.matrix.tolist() == [[3.0, 2.0, 1.0]]


def test_integer_scores_and_chosen_users():
    model, test = Fixed(np.array([[2, 1], [1, 2], [2, 1]])), log([(0, 0), (2, 1)], 3, 2)
    report = full_ranking(model, test, k=1, users=[1, 2])
    assert report.users.tolist() == [2]
    assert report["hr@1"] == 0.0


def test_a_constant_model_gains_nothing():
    _, train, test = world(5)
    report = full_ranking(Fixed(np.zeros((30, 20))), test, exclude=train, metrics=["auc"])
    np.testing.assert_allclose(report.values["auc"], 0.5)
    negatives = np.tile(np.arange(10, 19), (30, 1))
    one_each = log([(user, 0) for user in range(30)], 30, 20)
    report = sampled(Fixed(np.zeros((30, 20))), one_each, negatives, k=3)
    np.testing.assert_allclose(report.values["hr@3"], 0.3)


def test_the_order_of_users_does_not_matter():
    model, train, test = world(1)
    shuffled = test.take(np.random.default_rng(0).permutation(len(test)))
    once, again = (full_ranking(model, part, exclude=train).values for part in (test, shuffled))
    for name in once:
        np.testing.assert_array_equal(once[name], again[name])


def test_sampled_by_hand_and_users_with_two_rows_count_once():
    model = Fixed([[5.0, 4.0, 3.0, 2.0], [1.0, 1.0, 1.0, 2.0]])
    test = log([(0, 0), (0, 3), (1, 0)], 2, 4)
    report = sampled(model, test, [[1, 2], [1, 2], [1, 3]], k=1, batch_size=2)
    assert report.users.tolist() == [0, 1]
    assert report.values["hr@1"].tolist() == [0.5, 0.0]
    report = sampled(model, test, [[1, 2], [1, 2], [1, 3]], k=2)
    assert report.values["hr@2"].tolist() == [0.5, 0.5]


def test_a_positive_among_its_own_negatives_does_not_compete_with_itself():
    test, model = log([(0, 1)], 1, 3), Fixed([[1.0, 2.0, 0.0]])
    report = sampled(model, test, [[1, 2]], k=1, metrics=["hr", "auc"])
    assert report.mean() == {"hr@1": 1.0, "auc": 1.0}


@pytest.mark.parametrize("metric", list(METRICS))
def test_the_sampling_formula_is_what_sampling_does(metric):
    n_items, m, rank, draws = 50, 8, 9, 20_000
    k = None if metric == "auc" else 2
    drawn = np.random.default_rng(0).integers(1, n_items, (draws, m))
    above = np.count_nonzero(drawn < rank, axis=1)
    one = np.ones(draws, int)
    values = METRICS[metric](Ranks(np.arange(draws), above, one, (m + 1) * one), k)
    error = values.std() / np.sqrt(draws)
    expected = expected_when_sampled(metric, [rank], n_items, m, k)[0]
    assert values.mean() == pytest.approx(expected, abs=4 * error)


def test_with_one_negative_the_hit_rate_is_auc():
    ranks = np.arange(1, 11)
    one = np.ones(10, int)
    full = Ranks(np.arange(10), ranks - 1, one, 10 * one)
    np.testing.assert_allclose(
        expected_when_sampled("hr", ranks, 10, m=1, k=1), METRICS["auc"](full, None)
    )
    assert hr(full, 1).sum() == 1


NAN = np.array([[1.0, 2.0], [1.0, np.nan]])
TEST = log([(0, 0), (1, 0)], 2, 2)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: full_ranking(Fixed(NAN), TEST), "Fixed scored item 1 for user 1 as NaN"),
        (lambda: sampled(Fixed(NAN), TEST, [[1], [1]]), "Fixed scored item 1 for user 1 as NaN"),
        (lambda: full_ranking(Fixed(np.ones((2, 3))), TEST), r"gave shape \(2, 3\)"),
        (lambda: full_ranking(Fixed(NAN), TEST, exclude=TEST), "No user to evaluate"),
        (lambda: full_ranking(Fixed(NAN), TEST, users=[]), "No user to evaluate"),
        (lambda: full_ranking(Fixed(NAN), TEST, exclude=log([(0, 0)], 2, 9)), "has 2 users and 9"),
        (lambda: full_ranking(Fixed(NAN), TEST, batch_size=0), "batch_size is 0"),
        (lambda: sampled(Fixed(NAN), TEST, [[1]]), r"shape \(1, 1\); expected \(2, m\)"),
        (lambda: sampled(Fixed(NAN), TEST, [[1], [2]]), "negatives run from 1 to 2"),
        (lambda: sampled(Fixed(NAN), TEST, [[1], [-1]]), "negatives run from -1 to 1"),
        (lambda: expected_when_sampled("map", [1], 10, 5), "'map' is unknown"),
        (lambda: expected_when_sampled("hr", [0], 10, 5), "Ranks run from 0"),
        (lambda: expected_when_sampled("hr", [1], 10, 0), "m is 0"),
    ],
)
def test_bad_input_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()


@pytest.mark.real_data
def test_popularity_on_the_published_ncf_split(real_data):
    """He et al. 2017 publish the split; .4535 / .2543 is popularity on exactly these files."""
    from rsutils.data import load

    split = load("ncf-ml-1m").published
    popularity = np.bincount(split.train.item, minlength=split.train.n_items).astype(np.float32)
    model = Fixed(np.broadcast_to(popularity, (split.test.n_users, len(popularity))))
    report = sampled(model, split.test, split.negatives, k=10)
    assert len(report) == 6040
    assert report["hr@10"] == pytest.approx(0.4535, abs=0.001)
    assert report["ndcg@10"] == pytest.approx(0.2543, abs=0.001)
