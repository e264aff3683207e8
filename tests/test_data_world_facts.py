"""What the committed demo world promises to lessons: models rank as on MovieLens, signals exist."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from rsutils.data import Dataset, Interactions, Split, leave_last_out
from rsutils.data.world import Oracle, WorldConfig, read_world
from rsutils.evaluate import Report, full_ranking
from rsutils.models import EASE, IALS, ItemNeighbours, MarkovChain, Popularity, Recommender

SETTINGS: dict[str, list[Callable[[], Recommender]]] = {
    "popularity": [Popularity],
    "neighbours": [lambda: ItemNeighbours(100, 10.0), lambda: ItemNeighbours(200, 10.0)],
    "ease": [lambda: EASE(300.0), lambda: EASE(1000.0)],
    "ials": [
        lambda: IALS(dimensions=16, l2=0.01, unobserved_weight=0.1, progress=False),
        lambda: IALS(dimensions=16, l2=0.03, unobserved_weight=0.1, progress=False),
    ],
    "markov": [lambda: MarkovChain(1, 1.0, 3.0), lambda: MarkovChain(5, 0.6, 3.0)],
}


@pytest.fixture(scope="module")
def demo() -> Dataset:
    return read_world()


@pytest.fixture(scope="module")
def split(demo: Dataset) -> Split:
    return leave_last_out(demo.interactions)


@pytest.fixture(scope="module")
def before(demo: Dataset, split: Split) -> Interactions:
    """Everything before the test: training and validation."""
    log = demo.interactions
    is_last = np.append(log.user[1:] != log.user[:-1], True)
    assert np.array_equal(log.item[is_last], split.test.item)
    return log.take(~is_last)


@pytest.fixture(scope="module")
def reports(demo: Dataset, split: Split, before: Interactions) -> dict[str, Report]:
    """Models with settings chosen on validation, and oracles, read once on the test."""

    def on_validation(make: Callable[[], Recommender]) -> float:
        model = make().fit(split.train)
        return full_ranking(model, split.validation, exclude=split.train)["ndcg@10"]

    fitted: dict[str, object] = {
        name: (max(choices, key=on_validation) if len(choices) > 1 else choices[0])().fit(before)
        for name, choices in SETTINGS.items()
    }
    for question in ("taste", "next"):
        fitted[question] = Oracle(demo.extras["world"], question).fit(before)
    return {name: full_ranking(model, split.test, exclude=before) for name, model in fitted.items()}


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ("popularity", "neighbours"),
        ("neighbours", "ease"),
        ("neighbours", "ials"),
        ("ease", "markov"),
        ("ials", "markov"),
        ("ease", "taste"),
        ("ials", "taste"),
        ("markov", "next"),
        ("taste", "next"),
    ],
)
def test_models_rank_as_on_movielens(reports: dict[str, Report], worse: str, better: str) -> None:
    gap = reports[better].compare(reports[worse])
    assert gap.loc["ndcg@10", "low"] > 0


def test_difficulty_is_that_of_movielens(reports: dict[str, Report], demo: Dataset) -> None:
    """Bounds around HR@10 on ml-100k: popularity .086, EASE .149, iALS .147, Markov .197."""
    chance = 10 / demo.interactions.n_items
    assert 5 * chance < reports["popularity"]["hr@10"] < 0.10
    assert reports["neighbours"]["ndcg@10"] > 1.5 * reports["popularity"]["ndcg@10"]
    assert 0.13 < reports["ease"]["hr@10"] < 0.22
    assert 0.13 < reports["ials"]["hr@10"] < 0.22
    assert 0.17 < reports["markov"]["hr@10"] < 0.27
    assert reports["next"]["hr@10"] < 0.5


def test_oracle_predicts_its_own_hit_rate(
    demo: Dataset, reports: dict[str, Report], before: Interactions
) -> None:
    """The ten most probable films hold as much probability as the oracle then has hits."""
    users = np.arange(demo.interactions.n_users)
    scores = Oracle(demo.extras["world"], "next").fit(before).scores(users)
    promised = -np.partition(-scores, 9, axis=1)[:, :10].sum(axis=1)
    error = np.sqrt((promised * (1 - promised)).sum()) / len(users)
    assert abs(promised.mean() - reports["next"]["hr@10"]) < 3 * error


def test_taste_oracle_is_best_for_the_first_film_of_a_session(
    demo: Dataset, reports: dict[str, Report]
) -> None:
    log = demo.extras["log"]
    last = log.groupby("user")["session"].agg(lambda s: s.iloc[-1] != s.iloc[-2]).to_numpy()
    means = {name: report.values["ndcg@10"][last].mean() for name, report in reports.items()}
    static = {name: mean for name, mean in means.items() if name not in ("taste", "next")}
    values = reports["taste"].values["ndcg@10"][last]
    best = max(static, key=static.get)
    gap = values - reports[best].values["ndcg@10"][last]
    assert gap.mean() > 2 * gap.std() / np.sqrt(len(gap))


def test_distributions_look_like_a_shop(demo: Dataset) -> None:
    log = demo.interactions
    count = np.sort(np.bincount(log.item, minlength=log.n_items))[::-1]
    activity = np.bincount(log.user)
    assert 0.35 < count[: log.n_items // 10].sum() / len(log) < 0.5
    assert count[log.n_items // 2 :].sum() / len(log) < 0.2
    assert activity.min() >= 8
    assert activity.mean() > 1.3 * np.median(activity)
    assert 3.3 < log.rating.mean() < 3.8
    assert set(np.unique(log.rating)) == {1, 2, 3, 4, 5}
    finished = demo.extras["log"]["finished"]
    assert finished[log.rating >= 4].mean() > finished[log.rating <= 2].mean() + 0.1


def item_features(demo: Dataset, columns: list[str]) -> np.ndarray:
    """Centred unit rows of words in ``columns``, one row an item."""
    text = demo.items[columns].astype(str).agg(" ".join, axis=1)
    counts = CountVectorizer(binary=True, min_df=3).fit_transform(text).toarray().astype(float)
    counts /= np.sqrt(counts.sum(axis=0))
    counts -= counts.mean(axis=0)
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def profile_auc(before: Interactions, test: Interactions, features: np.ndarray) -> float:
    """How often a user's next film is closer to the films before than somebody else's next film."""
    profile = before.to_csr() @ features
    other = np.random.default_rng(0).permutation(test.item)
    own = (profile[test.user] * features[test.item]).sum(axis=1)
    theirs = (profile[test.user] * features[other]).sum(axis=1)
    return float(np.mean(own > theirs) + 0.5 * np.mean(own == theirs))


@pytest.mark.parametrize("columns", [["genres"], ["synopsis"], ["director", "actors"]])
def test_attributes_and_text_carry_taste(
    demo: Dataset, split: Split, before: Interactions, columns: list[str]
) -> None:
    features = item_features(demo, columns)
    shuffled = np.random.default_rng(1).permutation(features)
    bound = 0.54
    assert profile_auc(before, split.test, features) > bound
    assert profile_auc(before, split.test, shuffled) < bound


def test_text_says_more_than_genres(demo: Dataset, split: Split, before: Interactions) -> None:
    genres = profile_auc(before, split.test, item_features(demo, ["genres"]))
    both = profile_auc(before, split.test, item_features(demo, ["genres", "synopsis"]))
    assert both > genres


def test_friends_share_tastes(demo: Dataset) -> None:
    taken = demo.interactions.to_csr().astype(np.float64)
    taken.data /= np.sqrt(np.diff(taken.indptr)).repeat(np.diff(taken.indptr))
    first, second = demo.extras["friends"].T

    def likeness(a: np.ndarray, b: np.ndarray) -> float:
        return float(taken[a].multiply(taken[b]).sum() / len(a))

    strangers = likeness(first, np.random.default_rng(0).permutation(second))
    assert likeness(first, second) > 1.2 * strangers


def position_exponent(clicked: np.ndarray, slots: int) -> float:
    """η of click rates ∝ (1 + j)^-η, each slot's rate taken over the slates that got so far."""
    rate = np.array(
        [(clicked == j).sum() / ((clicked == -1) | (clicked >= j)).sum() for j in range(slots)]
    )
    hits = np.bincount(clicked[clicked >= 0], minlength=slots)
    slope = np.polyfit(np.log1p(np.arange(slots)), np.log(rate), 1, w=np.sqrt(hits))[0]
    return -float(slope)


def test_position_bias_is_in_the_slates(demo: Dataset) -> None:
    slates = demo.extras["slates"]
    true, slots = WorldConfig().position_exponent, slates.films.shape[1]
    assert position_exponent(slates.clicked, slots) == pytest.approx(true, abs=0.12)
    moved = slates.clicked.copy()
    hit = moved >= 0
    moved[hit] = np.random.default_rng(0).integers(0, slots, hit.sum())
    assert position_exponent(moved, slots) != pytest.approx(true, abs=0.12)


def test_order_within_a_session_matters(demo: Dataset) -> None:
    """A film is followed by a related one far more often than order by chance would have it."""
    log, world = demo.extras["log"], demo.extras["world"]

    def related_share(table: pd.DataFrame) -> float:
        item, user = table["item"].to_numpy(), table["user"].to_numpy()
        same = user[1:] == user[:-1]
        follows = (world.films.related[item[:-1]] == item[1:, None]).any(axis=1)
        return float(follows[same].mean())

    shuffled = log.sample(frac=1, random_state=0).sort_values("user", kind="stable")
    assert related_share(log) > 3 * related_share(shuffled)


def test_tastes_drift(demo: Dataset) -> None:
    """Where taste ends explains people's last films better than where it starts."""
    world = demo.extras["world"]
    late = world.diary.step / world.diary.length[world.diary.user] > 0.8
    user, factors = world.diary.user[late], world.films.factors[world.behaviour.item[late]]
    start = (world.people.taste_start[user] * factors).sum(axis=1)
    end = (world.people.taste_end[user] * factors).sum(axis=1)
    gap = end - start
    assert gap.mean() > 5 * gap.std() / np.sqrt(len(gap))
