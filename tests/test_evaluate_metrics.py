"""Rank metrics against trec_eval, scikit-learn and brute force over every order of the ties."""

from itertools import pairwise, permutations

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from rsutils.evaluate.metrics import METRICS, evaluate_ranks, hr, mrr, ndcg, recall, user_auc
from rsutils.evaluate.ties import BLOCK, Ranks

TREC = {"hr": "success", "ndcg": "ndcg_cut", "recall": "recall", "mrr": "recip_rank"}


@st.composite
def tied_rows(draw):
    """A row of few items and fewer score levels, with one relevant item at least."""
    n = draw(st.integers(2, 6))
    scores = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    items = draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=n - 1))
    return np.array(scores, float), sorted(items), draw(st.integers(1, n))


def textbook(relevant_at: list[int], n_relevant: int, k: int) -> dict[str, float]:
    """The definitions for one order without ties, rank by rank."""
    inside = [rank for rank in relevant_at if rank <= k]
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(n_relevant, k) + 1))
    return {
        "hr": float(bool(inside)),
        "ndcg": sum(1 / np.log2(rank + 1) for rank in inside) / ideal,
        "recall": len(inside) / n_relevant,
        "mrr": 1 / min(inside) if inside else 0.0,
    }


def over_all_orders(scores, items, k):
    """The mean of the textbook values over every order that agrees with the scores."""
    values = []
    for order in permutations(range(len(scores))):
        if all(scores[a] >= scores[b] for a, b in pairwise(order)):
            values.append(textbook([order.index(item) + 1 for item in items], len(items), k))
    return {name: np.mean([value[name] for value in values]) for name in values[0]}


def ranks_of(scores, items):
    return Ranks.of(scores[None], row=np.zeros(len(items), int), item=np.array(items))


@pytest.mark.parametrize("k", [1, 5, 10, 40])
def test_agrees_with_trec_eval_without_ties(k):
    rng = np.random.default_rng(k)
    n, m = 50, 40
    scores = rng.permuted(np.tile(np.arange(m, dtype=float), (n, 1)), axis=1)
    relevant = rng.random((n, m)) < 0.15
    relevant[:, 0] = True
    names = {f"{trec}.{k}" for trec in TREC.values() if trec != "recip_rank"} | {"recip_rank"}
    truth = {str(r): {str(i): 1 for i in np.flatnonzero(relevant[r])} for r in range(n)}
    run = {str(r): {str(i): scores[r, i] for i in range(m)} for r in range(n)}
    expected = pytrec_eval.RelevanceEvaluator(truth, names).evaluate(run)
    ranks = Ranks.of(scores, *np.nonzero(relevant))
    for name, trec in TREC.items():
        cut, key = (None, trec) if name == "mrr" else (k, f"{trec}_{k}")
        theirs = [expected[str(row)][key] for row in range(n)]
        np.testing.assert_allclose(METRICS[name](ranks, cut), theirs, atol=1e-9)


@given(tied_rows())
@settings(max_examples=150, deadline=None)
def test_ties_give_the_mean_over_all_orders(row):
    scores, items, k = row
    for name, expected in over_all_orders(scores, items, k).items():
        assert METRICS[name](ranks_of(scores, items), k)[0] == pytest.approx(expected), name


@given(tied_rows())
@settings(max_examples=100, deadline=None)
def test_ndcg_and_auc_agree_with_scikit_learn_on_ties(row):
    scores, items, k = row
    truth = np.zeros(len(scores))
    truth[items] = 1
    ranks = ranks_of(scores, items)
    assert ndcg(ranks, k)[0] == pytest.approx(ndcg_score(truth[None], scores[None], k=k))
    assert user_auc(ranks)[0] == pytest.approx(roc_auc_score(truth, scores))


@given(tied_rows())
@settings(deadline=None)
def test_only_the_order_of_scores_counts(row):
    scores, items, k = row
    stretched = evaluate_ranks(ranks_of(np.exp(3 * scores) - 7, items), tuple(METRICS), k)
    for name, value in evaluate_ranks(ranks_of(scores, items), tuple(METRICS), k).items():
        assert stretched[name] == pytest.approx(value)


@pytest.mark.parametrize("relevant", [1, 3, 30])
def test_a_constant_model_gets_what_random_order_gets(relevant):
    n, k = 40, 10
    ranks = ranks_of(np.zeros(n), list(range(relevant)))
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.tile(np.arange(n, dtype=float), (20_000, 1)), axis=1)
    row = np.repeat(np.arange(len(shuffled)), relevant)
    sampled = Ranks.of(shuffled, row, np.tile(np.arange(relevant), len(shuffled)))
    assert recall(ranks, k)[0] == pytest.approx(k / n)
    assert user_auc(ranks)[0] == pytest.approx(0.5)
    for metric in (hr, ndcg, mrr):
        draws = metric(sampled, k)
        error = draws.std() / np.sqrt(len(draws))
        assert metric(ranks, k)[0] == pytest.approx(draws.mean(), abs=4 * error + 1e-6)


def test_by_hand():
    ranks = Ranks.of([[5.0, 4.0, 3.0, 3.0, 1.0]], row=[0, 0], item=[1, 2])
    assert ranks.above.tolist() == [1, 2]
    assert ranks.tied.tolist() == [1, 2]
    assert hr(ranks, 1)[0] == 0.0
    assert recall(ranks, 3)[0] == pytest.approx(0.75)
    assert mrr(ranks, 3)[0] == pytest.approx(0.5)
    ideal = 1 + 1 / np.log2(3)
    assert ndcg(ranks, 3)[0] == pytest.approx((1 / np.log2(3) + 0.5 * 0.5) / ideal)
    assert user_auc(ranks)[0] == pytest.approx((2 + 1.5) / 6)


def test_what_is_no_candidate_is_never_counted():
    ranks = Ranks.of([[np.nan, 2.0, np.nan, 1.0]], row=[0], item=[3])
    assert ranks.candidates.tolist() == [2]
    assert mrr(ranks).tolist() == [0.5]


def test_scores_of_minus_infinity_tie_at_the_end():
    ranks = Ranks.of([[1.0, -np.inf, -np.inf]], row=[0], item=[2])
    assert mrr(ranks)[0] == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_blocks_do_not_change_the_count():
    m = BLOCK // 3 + 1
    scores = np.random.default_rng(0).random((1, m), np.float32)
    items = np.arange(5)
    ranks = Ranks.of(scores, np.zeros(5, int), items)
    assert ranks.above.tolist() == [int((scores[0] > scores[0, item]).sum()) for item in items]


def test_rows_keep_apart():
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 4, (6, 9)).astype(float)
    relevant = rng.random((6, 9)) < 0.3
    relevant[:, 4] = True
    together = evaluate_ranks(Ranks.of(scores, *np.nonzero(relevant)), tuple(METRICS), 4)
    for row in range(6):
        alone = ranks_of(scores[row], np.flatnonzero(relevant[row]))
        for name, value in evaluate_ranks(alone, tuple(METRICS), 4).items():
            assert together[name][row] == pytest.approx(value[0]), name


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda r: hr(r, 0), "k is 0"),
        (lambda r: ndcg(r, -2), "k is -2"),
        (lambda r: user_auc(r, 10), "reads the whole list"),
        (lambda r: evaluate_ranks(r, ("map",), 10), "'map' is unknown; expected hr, ndcg"),
        (lambda r: Ranks.of([[1.0, np.nan]], [0], [1]), "Item 1 is relevant in row 0"),
        (lambda r: Ranks.of(np.ones((2, 3)), [0], [1]), "Row 1 has no relevant item"),
        (lambda r: Ranks.of(np.ones((2, 3)), [1, 0], [1, 1]), "ascending"),
        (lambda r: user_auc(Ranks.of([[1.0]], [0], [0])), "All 1 candidates of row 0"),
    ],
)
def test_bad_input_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act(Ranks.of([[1.0, 2.0, 3.0]], row=[0], item=[1]))
