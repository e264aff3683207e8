"""Signals, features and examples of the ranker."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.data.interactions import Interactions
from rsutils.data.splits import leave_last_out
from rsutils.models import IALS, MarkovChain
from rsutils.serve.catalogue import Catalogue
from rsutils.serve.ranking.choosing import STRENGTHS, choose_settings
from rsutils.serve.ranking.examples import (
    before_the_tail,
    exact_candidates,
    histories_of,
    ranking_examples,
)
from rsutils.serve.ranking.features import UNKNOWN_USER, RankingFeatures
from rsutils.serve.ranking.orders import PopularItems, SimilarItems
from rsutils.serve.ranking.signals import Signals
from rsutils.serve.ranking.two_stage import INPUT, TwoStage
from rsutils.serve.ranking.two_stage_recommender import TwoStageRecommender
from rsutils.serve.retrieval import build_index
from rsutils.serve.system import Slices
from tests.small_system import small_dataset

N_USERS, N_ITEMS = 30, 20


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(3)
    user = np.repeat(np.arange(N_USERS), 6)
    item = np.concatenate([rng.permutation(N_ITEMS)[:6] for _ in range(N_USERS)])
    return Interactions.of(user, item, n_users=N_USERS + 1, n_items=N_ITEMS)


@pytest.fixture(scope="module")
def chain(log):
    return MarkovChain(length=3, decay=0.5).fit(log)


@pytest.fixture(scope="module")
def signals(log):
    return fit(log)


def fit(log):
    return Signals.fit(log, IALS(4, progress=False), MarkovChain(length=3, decay=0.5))


def features_of(signals, **settings):
    items = pd.DataFrame({"genres": ["a|b", "b"] * (N_ITEMS // 2)})
    users = pd.DataFrame({"age": ["young", "old", "old"] * 10 + ["young"]})
    return RankingFeatures.of(items, users, signals.popularity, N_USERS + 1, **settings)


def test_probabilities_are_those_of_the_chain(log, chain, signals):
    expected = chain.scores(np.arange(N_USERS + 1))
    every = np.arange(N_ITEMS)
    for user, history in enumerate(histories_of(log)):
        found = signals.transitions.probabilities(history, every)
        np.testing.assert_allclose(found, expected[user], rtol=1e-4, atol=1e-6)


def test_transitions_of_each_item_of_the_history_add_up(log, signals):
    history, items = histories_of(log)[2], np.arange(N_ITEMS)
    transitions = signals.transitions
    last, weights = transitions.recent(history)
    given = transitions.contributions(history, items)
    assert given.shape == (N_ITEMS, len(history))
    assert not given[:, : -transitions.length].any()
    smooth = weights @ transitions.to_popularity[last] * transitions.popularity
    np.testing.assert_allclose(
        given.sum(axis=1) + smooth, transitions.probabilities(history, items), rtol=1e-4
    )


def test_signals_come_back_from_their_folder(tmp_path, signals, log):
    signals.save(tmp_path)
    again = Signals.load(tmp_path, signals.settings())
    histories = histories_of(log)[:5]
    items = np.tile(np.arange(N_ITEMS), (5, 1))
    users = signals.fold_in(histories)
    np.testing.assert_array_equal(
        again.describe(histories, again.fold_in(histories), items),
        signals.describe(histories, users, items),
    )


def test_a_row_by_hand(signals):
    features = features_of(signals, recent=2, candidates=4, buckets=3)
    items = np.array([[7, 2, 9]])
    row = features.rows(
        np.array([1]), [np.array([4, 5, 6])], items, np.float32([[[3, 0], [1, 2], [2, 1]]])
    )[0]
    own = 1 + items[0]
    np.testing.assert_array_equal(row[:, 0], own)
    np.testing.assert_array_equal(row[:, -5:-3], [[1 + 6, 1 + 5]] * 3)  # the latest comes first
    # Ranks 0, 2, 1 by factors and 2, 0, 1 by transitions; edges of the buckets are 1, 4, 20.
    assert (row[:, -2] - features.first_bucket).tolist() == [0, 1, 1]
    assert (row[:, -1] - features.first_bucket - 4).tolist() == [1, 0, 1]
    assert row.max() < features.n_features
    assert row.shape[1] == features.n_fields


def test_a_stranger_is_described_by_nothing_but_the_history(signals):
    features = features_of(signals)
    items, described = np.array([[0, 1]]), np.zeros((1, 2, 2), np.float32)
    by_user = {
        user: features.rows(np.array([user]), [np.array([3])], items, described)
        for user in (UNKNOWN_USER, 0, 1)
    }
    differs = by_user[UNKNOWN_USER] != by_user[0]
    assert differs.any(axis=(0, 1)).sum() == 1  # the age
    ages = {user: rows[0, 0, differs[0, 0]].item() for user, rows in by_user.items()}
    assert len(set(ages.values())) == 3
    short = features.rows(np.array([0]), [np.array([], int)], items, described)
    assert (short[0, :, -6:-3] == features.no_item).all()


def test_features_come_back_from_their_folder(tmp_path, signals):
    features = features_of(signals)
    again = RankingFeatures.load(tmp_path, features.save(tmp_path))
    arguments = (np.array([3]), [np.array([1, 2])], np.array([[4, 5]]))
    described = np.float32([[[1, 0], [0, 1]]])
    np.testing.assert_array_equal(
        again.rows(*arguments, described), features.rows(*arguments, described)
    )
    assert (again.n_features, again.n_fields) == (features.n_features, features.n_fields)


def test_examples_know_nothing_of_what_came_after_their_moment(log):
    seen = []

    def spy(before):
        seen.append(before)
        return fit(before)

    rows = ranking_examples(log, spy, features_of, tail=2, candidates=N_ITEMS, negatives=4)
    (before,) = seen
    left, cut = before_the_tail(log, 2)
    np.testing.assert_array_equal(before.item, left.item)
    assert len(before) == 4 * N_USERS
    assert cut.tolist() == [2] * N_USERS + [0]
    taken = histories_of(log)
    positives = rows.features[rows.label == 1, 0] - 1
    expected = [history[-back] for back in (1, 2) for history in taken[:N_USERS]]
    assert positives.tolist() == expected
    assert 0.15 < rows.label.mean() < 0.35


def test_examples_hide_the_past_of_strangers(log):
    rows = ranking_examples(log, fit, features_of, tail=2, candidates=N_ITEMS, strangers=1.0)
    ages = rows.features[:, 3]
    assert len(set(ages.tolist())) == 1


def test_a_log_without_a_past_is_refused():
    log = Interactions.of([0, 1], [0, 1])
    with pytest.raises(ValueError, match="at least two interactions"):
        ranking_examples(log, fit, lambda each: RankingFeatures.of(None, None, each.popularity, 2))


def test_candidates_are_new_and_in_order(log, signals):
    histories = histories_of(log)[:4]
    users = signals.fold_in(histories)
    found = exact_candidates(signals, users, histories, N_ITEMS)
    for row, history, user in zip(found, histories, users, strict=True):
        assert (row >= 0).sum() == N_ITEMS - len(history)
        assert not np.isin(row, history).any()
        scores = signals.item_factors[row[row >= 0]] @ user
        assert (np.diff(scores) <= 1e-6).all()


def by_own_id(inputs):
    """A ranker for which the largest item number is best."""
    return inputs[INPUT][:, :1].astype(np.float32)


@pytest.fixture(scope="module")
def stages(signals):
    index = build_index("exact", signals.item_factors)
    return TwoStage(signals, index, features_of(signals), {"by_id": by_own_id}, candidates=8)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, N_ITEMS - 1), unique=True, min_size=1, max_size=8),
    st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=8),
    st.integers(1, N_ITEMS),
    st.integers(0, 2**N_ITEMS - 1),
)
def test_two_stages_keep_k_through_all_filters(stages, history, blocked, k, mask):
    allowed = np.array([mask >> item & 1 for item in range(N_ITEMS)], bool)
    left = set(np.flatnonzero(allowed).tolist()) - set(history) - set(blocked)
    ranked = stages.rank(
        [UNKNOWN_USER], [np.array(history)], k, "by_id", [np.array(blocked, int)], allowed
    )
    items = [item for item in ranked.items[0].tolist() if item >= 0]
    assert len(items) == min(k, len(left))
    assert set(items) <= left
    assert items == sorted(items, reverse=True)
    assert np.isneginf(ranked.scores[0, len(items) :]).all()


def test_two_stages_as_a_recommender(stages, log):
    model = TwoStageRecommender(stages, log, "by_id")
    lists = model.recommend([0, 1, N_USERS], k=3, exclude=log)
    for user in (0, 1):
        ranked = stages.rank([user], [histories_of(log)[user]], 3, "by_id")
        assert lists[user].tolist() == ranked.items[0].tolist()
    assert lists[2].tolist() == np.argsort(-stages.signals.popularity, kind="stable")[:3].tolist()
    retrieval = TwoStageRecommender(stages, log, None).recommend([0], k=3)
    factors = stages.signals.fold_in([histories_of(log)[0]])
    expected = exact_candidates(stages.signals, factors, [histories_of(log)[0]], 3)
    assert retrieval.tolist() == expected.tolist()
    with pytest.raises(TypeError, match="build_system"):
        model.fit(log)


def test_two_stages_over_different_items_are_refused(stages, signals):
    index = build_index("exact", signals.item_factors[1:])
    with pytest.raises(ValueError, match="19 items, the signals 20"):
        TwoStage(signals, index, stages.features, stages.rankers)


def test_orders_leave_out_what_is_hidden():
    popular = PopularItems(np.float32([0.1, 0.5, 0.4]))
    allowed = np.array([True, True, False])
    assert popular.best(3, np.array([1]), allowed)[0].tolist() == [0]
    assert allowed.tolist() == [True, True, False]
    similar = SimilarItems(np.float32([[1, 0], [2, 0.1], [0, 0], [0.5, 0.5]]))
    items, cosines = similar.nearest(0, 3, np.array([1]), None)
    assert items.tolist() == [3, 2]
    assert cosines.tolist() == pytest.approx([0.5**0.5, 0])


def test_slices_are_what_was_concatenated():
    parts = [np.array([1, 2]), np.array([], int), np.array([3])]
    slices = Slices(np.concatenate(parts), np.cumsum([len(part) for part in parts]))
    assert len(slices) == 3
    assert [part.tolist() for part in slices] == [[1, 2], [], [3]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["u"], ["a", "a"], ["A", "A"], [(), ()]), "'a' stands for two items"),
        ((["u", ""], ["a"], ["A"], [()]), "id of users is ''"),
        ((["u"], ["a"], ["A", "B"], [()]), "1 items, 2 titles"),
    ],
)
def test_a_catalogue_refuses_what_is_ambiguous(arguments, message):
    with pytest.raises(ValueError, match=message):
        Catalogue(*arguments)


def test_settings_follow_what_the_shop_is_like():
    """In a fixed order the last item says all; where half of them are chance, several say more."""
    rng = np.random.default_rng(0)
    n_users, n_items, length, group = 300, 90, 12, 15
    start = rng.integers(n_items, size=n_users)
    in_order = (start[:, None] + np.arange(length)) % n_items
    shuffled = np.array([rng.permutation(group)[:length] for _ in range(n_users)])
    in_groups = start[:, None] // group * group + shuffled
    anything = np.array([rng.permutation(n_items)[:length] for _ in range(n_users)])
    in_groups = np.where(rng.random(in_groups.shape) < 0.5, in_groups, anything)
    chosen = []
    for taken in (in_order, in_groups):
        user = np.repeat(np.arange(n_users), length)
        log = Interactions.of(user, taken.ravel(), timestamp=np.tile(np.arange(length), n_users))
        chosen.append(choose_settings(leave_last_out(log), candidates=10, progress=False))
    assert chosen[0].length == 1 < chosen[1].length
    assert all(each.l2 in STRENGTHS for each in chosen)


def test_the_test_items_choose_nothing():
    log = small_dataset().interactions
    split = leave_last_out(log)
    shuffled = np.random.default_rng(1).permutation(split.test.item)
    other = replace(split, test=replace(split.test, item=shuffled))
    with_them, without = (choose_settings(s, 10, progress=False) for s in (split, other))
    assert with_them == without
