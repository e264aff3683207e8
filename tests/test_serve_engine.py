"""The engine on a small system: what it answers, remembers and refuses."""

import subprocess
import sys

import numpy as np
import pytest

from rsutils.serve.answers import Event, Query, UnknownNameError
from rsutils.serve.engine import Engine
from rsutils.serve.retrieval import RebuildError
from rsutils.serve.store import MemoryStore
from tests.searched_system import KINDS, TOO_LITTLE, searched_system
from tests.small_system import N_ITEMS, N_USERS, small_dataset, small_system

STRANGER = str(N_USERS)
"""A user of the table without a single interaction."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_system(tmp_path_factory.mktemp("models") / "small-1")


@pytest.fixture
def engine(folder):
    return Engine(folder)


def one(engine, **query):
    answer = engine.answer([Query(**query)])[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


def items_of(answer):
    return [each.item for each in answer.items]


def taken_by(user):
    log = small_dataset().interactions
    return [str(item) for item in log.item[log.user == user]][:-1]  # the last one is held out


def test_a_known_user_gets_new_items_best_first_with_reasons_from_the_history(engine):
    answer = one(engine, user="4", k=5)
    assert (answer.source, answer.cache, answer.variant) == ("model", "miss", "fp32")
    assert answer.model == "small-1"
    assert len(set(items_of(answer))) == 5
    assert not set(items_of(answer)) & set(taken_by(4))
    scores = [each.score for each in answer.items]
    assert scores == sorted(scores, reverse=True)
    for each in answer.items:
        assert each.title == (small_dataset().items.title[int(each.item)])
        assert each.reason.kind == "because"
        assert each.reason.item in taken_by(4)


def test_the_second_answer_comes_from_the_cache_and_is_the_same(engine):
    first, second = one(engine, user="4"), one(engine, user="4")
    assert (first.cache, second.cache) == ("miss", "hit")
    assert first.items == second.items


def test_answers_of_a_batch_are_those_of_single_queries(engine, folder):
    queries = [
        Query(user="4", k=3),
        Query(user="5", k=20, categories=("Love",)),
        Query(history=("1", "4"), k=7),
        Query(user="4", k=3),
        Query(user="7", variant="int8", blocked=("2", "3")),
        Query(user=STRANGER),
    ]
    together = engine.answer(queries)
    alone = [Engine(folder).answer([query])[0] for query in queries]
    for one_of_many, single in zip(together, alone, strict=True):
        assert items_of(one_of_many) == items_of(single)
        assert [each.reason for each in one_of_many.items] == [each.reason for each in single.items]


def test_behaviour_changes_the_next_answer(engine):
    before = one(engine, user="4", k=5)
    best = before.items[0].item
    engine.record([Event("4", best, "finish")])
    after = one(engine, user="4", k=5)
    assert after.cache == "miss"
    assert best not in items_of(after)
    assert engine.history("4")[0]["item"] == best


def test_a_repeated_event_counts_once(engine):
    engine.record([Event("4", "1", id="e1"), Event("4", "1", id="e1")])
    one(engine, user="4")
    engine.record([Event("4", "1", id="e1")])
    assert one(engine, user="4").cache == "hit"


def test_somebody_new_gets_popularity_then_what_fits_their_first_clicks(engine):
    assert one(engine, user="somebody").source == "popularity"
    engine.record([Event("somebody", "3"), Event("somebody", "6")])
    assert [each["item"] for each in engine.history("somebody")] == ["6", "3"]
    answer = one(engine, user="somebody", k=3)
    assert answer.source == "model"
    assert [each.categories for each in answer.items] == [("War",)] * 3


def test_a_disliked_item_is_not_shown_and_does_not_speak_for_others(engine):
    best = one(engine, user="4").items[0].item
    engine.record([Event("4", best, "dislike")])
    answer = one(engine, user="4", k=N_ITEMS)
    assert best not in items_of(answer)
    assert best not in [each.reason.item for each in answer.items]


@pytest.mark.parametrize("variant", ["fp32", "int8", "pruned", "distilled"])
def test_filters_never_shorten_the_list_while_items_are_left(engine, variant):
    user, categories = "4", ("Space",)
    allowed = [str(i) for i in range(N_ITEMS) if i % 3 == 2]
    blocked = tuple(allowed[:4])
    left = set(allowed) - set(blocked) - set(taken_by(4))
    some = one(engine, user=user, k=len(left), categories=categories, blocked=blocked)
    more = one(engine, user=user, k=100, categories=categories, blocked=blocked, variant=variant)
    assert set(items_of(some)) == set(items_of(more)) == left


def test_nothing_left_is_an_empty_list(engine):
    everything = tuple(str(item) for item in range(N_ITEMS))
    assert one(engine, user="4", blocked=everything).items == ()
    assert one(engine, user=STRANGER, blocked=everything).items == ()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"history": ("999",)}, "no item '999'"),
        ({"blocked": ("x",)}, "no item 'x'"),
        ({"categories": ("Peace",)}, "no category 'Peace'; there are: Love, Space, War"),
        ({"variant": "fp64"}, "no variant 'fp64'; there are: fp32, int8, pruned, distilled"),
    ],
)
def test_unknown_names_are_refused_and_hit_nobody_else(engine, query, message):
    good, bad = engine.answer([Query(user="4"), Query(user="4", **query)])
    assert good.items
    assert isinstance(bad, UnknownNameError)
    assert message in str(bad)
    with pytest.raises(UnknownNameError, match=message):
        engine.popular(Query(user="4", **query))


def test_popularity_is_in_order_and_leaves_out_what_is_blocked(engine):
    answer = engine.popular(Query(k=N_ITEMS, blocked=("3",), categories=("War",)))
    scores = [each.score for each in answer.items]
    assert scores == sorted(scores, reverse=True)
    assert set(items_of(answer)) == {str(i) for i in range(0, N_ITEMS, 3)} - {"3"}


def test_similar_items_are_not_the_item_itself(engine):
    answer = engine.similar("3", k=5, categories=("War",), blocked=("6",))
    assert len(answer.items) == 5
    assert not {"3", "6"} & set(items_of(answer))
    assert all(each.reason.kind == "similar" and each.score <= 1 for each in answer.items)
    with pytest.raises(UnknownNameError, match="no item '-1'"):
        engine.similar("-1")


def test_events_with_an_unknown_item_or_kind_leave_nothing_behind(engine):
    for bad in (Event("4", "999"), Event("4", "1", "stare")):
        with pytest.raises(UnknownNameError, match=r"999|stare"):
            engine.record([Event("4", "2"), bad])
    assert "2" not in [each["item"] for each in engine.history("4")]


def test_titles_users_and_histories_for_a_page(engine):
    assert [each["item"] for each in engine.titles("film 1", 3)] == ["1", "10", "11"]
    assert engine.titles("nothing like it") == []
    users = engine.some_users(5)
    assert len(users) == 5
    assert users[0] == {"user": "0", "interactions": 7}
    assert [each["item"] for each in engine.history("4")] == taken_by(4)[::-1]
    assert engine.history("nobody") == []
    assert engine.knows_user("4")
    assert not engine.knows_user("nobody")


def test_two_engines_share_a_store_and_never_each_others_answers(folder, tmp_path):
    store = MemoryStore()
    other = small_system(tmp_path / "small-2", seed=1)
    first, second = Engine(folder, store), Engine(other, store)
    first.record([Event("4", "1")])
    assert second.history("4")[0]["item"] == "1"
    assert one(first, user="4").cache == "miss"
    assert one(second, user="4").cache == "miss"


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    return searched_system(tmp_path_factory.mktemp("models") / "searched-1")


ASKED = [
    *(Query(user=str(user)) for user in range(12)),
    Query(user="4", k=30, categories=("Love",)),
    Query(history=("1", "4"), k=7),
    Query(user="7", blocked=("2", "3")),
]


def lists(engine):
    return [items_of(answer) for answer in engine.answer(ASKED)]


def test_another_index_takes_over_and_its_answers_are_made_anew(searched):
    engine = Engine(searched)
    assert (engine.index.number, engine.index.index.kind) == (1, "exact")
    expected = lists(engine)
    for number, (kind, settings) in enumerate(KINDS, 2):
        version = engine.rebuild_index(kind, **settings)
        assert version is engine.index
        assert (version.number, version.index.kind, version.recall) == (number, kind, 1)
        assert settings.items() <= version.index.settings.items()
        answers = engine.answer(ASKED)
        assert {answer.cache for answer in answers} == {"miss"}
        assert [items_of(answer) for answer in answers] == expected
        assert {answer.cache for answer in engine.answer(ASKED)} == {"hit"}


def test_a_refused_index_leaves_answers_as_they_were(searched):
    engine = Engine(searched)
    expected, before = lists(engine), engine.index
    kind, settings = TOO_LITTLE
    with pytest.raises(RebuildError, match=r"of the exact 20 best"):
        engine.rebuild_index(kind, **settings)
    for kind, settings in (("annoy", {}), ("hnsw", {"probes": 1}), ("ivf_pq", {"parts": 7})):
        with pytest.raises(ValueError, match=r"annoy|probes|parts"):
            engine.rebuild_index(kind, **settings)
    assert engine.index is before
    assert lists(engine) == expected
    assert one(engine, user="4").cache == "hit"


def test_answers_of_another_index_are_never_served(searched):
    store = MemoryStore()
    right, poor = Engine(searched, store), Engine(searched, store)
    poor.stages.live.least_recall = 0.0
    kind, settings = TOO_LITTLE
    poor.rebuild_index(kind, **settings)
    wrong = lists(poor)
    right.rebuild_index("hnsw")
    assert poor.index.number == right.index.number
    assert lists(right) != wrong
    assert lists(right) == lists(Engine(searched))
    assert lists(poor) == wrong


def test_a_batch_is_answered_by_the_version_that_its_keys_name(searched, monkeypatch):
    engine = Engine(searched)
    engine.stages.live.least_recall = 0.0
    expected, compute = lists(Engine(searched)), engine._compute

    def swapped_meanwhile(*arguments):
        monkeypatch.setattr(engine, "_compute", compute)
        kind, settings = TOO_LITTLE
        engine.rebuild_index(kind, **settings)
        return compute(*arguments)

    monkeypatch.setattr(engine, "_compute", swapped_meanwhile)
    assert lists(engine) == expected
    assert engine.index.number == 2
    assert lists(engine) != expected


def test_settings_of_numpy_are_settings(searched):
    engine = Engine(searched)
    engine.rebuild_index("hnsw", expansion=np.int64(150))
    assert lists(engine) == lists(Engine(searched))


def test_the_manifest_says_what_was_measured(engine):
    manifest = engine.manifest
    assert manifest["dataset"] == "small"
    assert [*manifest["variants"]] == ["fp32", "int8", "pruned", "distilled"]
    assert manifest["variants"]["fp32"]["top10_overlap"] == 1
    assert manifest["variants"]["int8"]["bytes"] < manifest["variants"]["fp32"]["bytes"]
    quality = manifest["quality"]
    assert quality["fp32"]["ndcg@10"] > quality["popularity"]["ndcg@10"] + 0.2


def test_a_changed_system_is_refused(folder, tmp_path):
    import shutil

    copy = tmp_path / "small-1"
    shutil.copytree(folder, copy)
    path = copy / "rankers" / "fp32.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"fp32\.onnx changed"):
        Engine(copy)


def test_serving_does_not_load_tensorflow(folder):
    program = (
        "import sys; from rsutils.serve.engine import Engine; from rsutils.serve.answers import"
        f" Query; answer = Engine({str(folder)!r}).answer([Query(user='4')])[0]; "
        "assert answer.items; print({'tensorflow', 'keras', 'onnx'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_warming_up_leaves_no_answers_behind(engine):
    engine.warm_up()
    assert one(engine, user="0").cache == "miss"


def test_scores_do_not_depend_on_the_batch(engine):
    alone = one(engine, user="4")
    engine.cache = type(engine.cache)(MemoryStore())
    batch = engine.answer([Query(user=str(user)) for user in range(20)])[4]
    np.testing.assert_allclose(
        [each.score for each in alone.items], [each.score for each in batch.items], atol=1e-5
    )
