"""Indexes of items: exact ones are right, filters keep the k, swaps are whole."""

import threading

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rsutils.sealed import MANIFEST, new_folder, seal
from rsutils.serve.retrieval import (
    ExactIndex,
    HNSWIndex,
    IVFPQIndex,
    LiveIndex,
    RebuildError,
    build_index,
    load_index,
    save_index,
)
from rsutils.serve.retrieval import exact as exact_module
from rsutils.serve.retrieval import live as live_module

KINDS = ["exact", "hnsw", "ivf_pq"]


def made_up(n=2000, d=16, seed=0):
    """Vectors whose norms differ as those of a matrix factorisation do."""
    rng = np.random.default_rng(seed)
    directions = (
        rng.standard_normal((n, d)) + 2 * rng.standard_normal((20, d))[rng.integers(20, size=n)]
    )
    return (directions * rng.lognormal(0, 0.7, (n, 1))).astype(np.float32)


def brute_force(vectors, queries, k, allowed=None, blocked=None):
    """By the definition: sort all items by score and id."""
    n = len(vectors)
    ids = np.full((len(queries), k), -1, np.int32)
    scores = np.full((len(queries), k), -np.inf)
    for row, query in enumerate(queries.astype(np.float64)):
        left = set(range(n) if allowed is None else np.flatnonzero(allowed).tolist())
        left -= set() if blocked is None else set(np.asarray(blocked[row]).tolist())
        all_scores = vectors.astype(np.float64) @ query
        best = sorted(left, key=lambda item: (-all_scores[item], item))[:k]
        ids[row, : len(best)], scores[row, : len(best)] = best, all_scores[best]
    return ids, scores


EIGHTHS = st.integers(-16, 16).map(lambda n: n / 8)


@st.composite
def problems(draw, n_max=60):
    """Vectors of eighths, whose products are exact in any order and often equal; and filters."""
    n, d = draw(st.integers(1, n_max)), draw(st.integers(1, 9))
    vectors = draw(hnp.arrays(np.float32, (n, d), elements=EIGHTHS))
    queries = draw(hnp.arrays(np.float32, (draw(st.integers(1, 5)), d), elements=EIGHTHS))
    k = draw(st.integers(1, n + 3))
    allowed = draw(st.none() | hnp.arrays(bool, n))
    ids = st.lists(st.integers(0, n - 1), max_size=8).map(lambda each: np.array(each, np.int64))
    blocked = draw(st.none() | st.lists(ids, min_size=len(queries), max_size=len(queries)))
    return vectors, queries, k, allowed, blocked


@given(problems())
@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("pruning", [True, False])
@pytest.mark.parametrize("block", [4, 1024])
def test_exact_is_brute_force(block, pruning, problem):
    vectors, queries, k, allowed, blocked = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_module, "FIRST_BLOCK", block)
        index = ExactIndex.build(vectors, pruning=pruning)
        ids, scores = index.search(queries, k, allowed, blocked)
    expected, expected_scores = brute_force(vectors, queries, k, allowed, blocked)
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(scores, expected_scores.astype(np.float32))
    assert (ids.dtype, scores.dtype) == (np.int32, np.float32)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_exact_finds_the_best_scores_of_numbers_of_any_size(data):
    n, d = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 7))
    numbers = st.floats(-(2.0**49), 2.0**49, width=32, allow_subnormal=False)
    vectors = data.draw(hnp.arrays(np.float32, (n, d), elements=numbers))
    queries = data.draw(hnp.arrays(np.float32, (2, d), elements=numbers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_module, "FIRST_BLOCK", 2)
        scores = ExactIndex.build(vectors).search(queries, k=3)[1]
    expected = brute_force(vectors, queries, 3)[1]
    longest = np.linalg.norm(vectors.astype(np.float64), axis=1).max()
    size = np.linalg.norm(queries.astype(np.float64), axis=1)[:, None] * longest
    found = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(scores), found)
    far = np.abs(np.where(found, scores, 0) - np.where(found, expected, 0))
    assert (far <= 1e-6 * size + 1e-30).all()


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("batch", [1, 5])
def test_exact_over_many_blocks(precision, batch):
    vectors = made_up(9000)
    queries = made_up(batch, seed=1)
    index = ExactIndex.build(vectors, precision)
    blocked = [index.search(queries, 7)[0][row] for row in range(batch)]
    kept = index.vectors(np.arange(9000))
    np.testing.assert_allclose(kept, vectors, rtol=0 if precision == "float32" else 1e-3, atol=1e-6)
    for filters in ({}, {"blocked": blocked}, {"allowed": np.arange(9000) % 3 == 0}):
        ids, scores = index.search(queries, 50, **filters)
        expected, expected_scores = brute_force(kept, queries, 50, **filters)
        np.testing.assert_array_equal(ids, expected)
        np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)


def test_pruning_reads_fewer_items():
    vectors = made_up(9000)
    index = ExactIndex.build(vectors)
    index.rows = np.where(np.arange(9000)[:, None] < 4000, index.rows, np.nan)
    ids, _ = index.search(vectors[:20], 3)
    np.testing.assert_array_equal(ids, ExactIndex.build(vectors).search(vectors[:20], 3)[0])


@pytest.fixture(scope="module", params=KINDS)
def index(request):
    return build_index(request.param, made_up())


QUERIES = made_up(40, seed=5)


def recall(index, **filters):
    found, _ = index.search(QUERIES, 10, **filters)
    best, _ = brute_force(made_up(), QUERIES, 10, **filters)
    return np.mean([np.isin(*both).mean() for both in zip(best, found, strict=True)])


def test_finds_nearly_all_of_the_best(index):
    assert recall(index) >= (1 if index.kind == "exact" else 0.95)
    ids, scores = index.search(QUERIES, 10)
    np.testing.assert_allclose(
        scores, np.einsum("nd,nkd->nk", QUERIES, made_up()[ids]), rtol=1e-4, atol=1e-4
    )
    assert (np.diff(scores, axis=1) <= 0).all()
    np.testing.assert_array_equal(index.vectors(np.array([3, 1999])), made_up()[[3, 1999]])
    assert index.nbytes >= made_up().nbytes


@pytest.mark.parametrize("share", [0.005, 0.05, 0.3, 0.9])
def test_filters_keep_the_k_and_the_quality(index, share):
    rng = np.random.default_rng(2)
    allowed = rng.random(2000) < share
    blocked = [index.search(QUERIES[[row]], 1 + row)[0][0] for row in range(len(QUERIES))]
    ids, scores = index.search(QUERIES, 10, allowed, blocked)
    left = [np.setdiff1d(np.flatnonzero(allowed), each) for each in blocked]
    for row, each in enumerate(left):
        kept = ids[row][ids[row] >= 0]
        assert np.isin(kept, each).all()
        assert len(set(kept.tolist())) == len(kept) == min(10, len(each))
    np.testing.assert_array_equal(ids < 0, np.isneginf(scores))
    assert recall(index, allowed=allowed, blocked=blocked) >= 0.9


def test_the_lowest_items_alone_are_found(index):
    """A walk towards the best items never comes by the worst, of which a third alone is allowed."""
    order = np.argsort(made_up() @ QUERIES[0])
    allowed = np.zeros(2000, bool)
    allowed[order[:667]] = True
    ids, _ = index.search(QUERIES[:1], 10, allowed)
    assert (ids >= 0).all()
    assert allowed[ids].all()


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_filters_never_lose_the_k(index, data):
    n = index.n_items
    k = data.draw(st.integers(1, 30))
    share = data.draw(st.sampled_from([0.0, 0.002, 0.01, 0.05, 0.3, 1.0]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    allowed = rng.random(n) < share
    blocked = [rng.integers(n, size=data.draw(st.integers(0, 200))) for _ in range(2)]
    ids, _ = index.search(QUERIES[:2], k, allowed, blocked)
    for row in range(2):
        left = np.setdiff1d(np.flatnonzero(allowed), blocked[row])
        assert (ids[row] >= 0).sum() == min(k, len(left))
        assert np.isin(ids[row][ids[row] >= 0], left).all()


def test_all_but_a_few_are_blocked(index):
    blocked = np.arange(1997)
    ids, scores = index.search(QUERIES[:1], 5, blocked=[blocked])
    assert sorted(ids[0, :3].tolist()) == [1997, 1998, 1999]
    assert ids[0, 3:].tolist() == [-1, -1]
    assert np.isneginf(scores[0, 3:]).all()


def test_k_beyond_all_items_is_filled_up(index):
    ids, scores = index.search(QUERIES[:2], 2003)
    assert sorted(ids[0, :2000].tolist()) == list(range(2000))
    assert ids.shape == scores.shape == (2, 2003)
    assert (ids[:, 2000:] == -1).all()


def test_an_empty_batch_is_an_empty_answer(index):
    ids, scores = index.search(np.empty((0, 16)), 3)
    assert ids.shape == scores.shape == (0, 3)
    assert index.search(np.empty((0, 16)), 3, blocked=[])[0].shape == (0, 3)


def test_zeros_find_something(index):
    allowed = np.arange(2000) > 10
    ids, scores = index.search(
        np.zeros((2, 16)), 4, allowed, [np.array([12]), np.array([], np.int64)]
    )
    assert (scores == 0).all()
    assert allowed[ids].all()
    assert 12 not in ids[0]
    if index.kind == "exact":
        assert ids.tolist() == [[11, 13, 14, 15], [11, 12, 13, 14]]
        mixed = np.concatenate([np.zeros((1, 16)), QUERIES[:1]])
        np.testing.assert_array_equal(
            index.search(mixed, 4)[0][1:], index.search(QUERIES[:1], 4)[0]
        )


def test_other_types_and_layouts_are_taken(index):
    expected, _ = index.search(QUERIES, 10)
    for queries in (QUERIES.astype(np.float64), np.asfortranarray(QUERIES), QUERIES.tolist()):
        np.testing.assert_array_equal(index.search(queries, 10)[0], expected)
    steps = np.repeat(QUERIES, 2, axis=0)[::2]
    np.testing.assert_array_equal(index.search(steps, np.int64(10))[0], expected)


BAD_SEARCHES = {
    "NaN": ({"queries": np.full((2, 16), np.nan)}, ValueError, "Row 0 of queries .* norm of nan"),
    "infinity": ({"queries": np.full((2, 16), np.inf)}, ValueError, "norm of inf"),
    "too long": ({"queries": np.full((2, 16), 1e30)}, ValueError, "norm below 1e"),
    "width": ({"queries": np.ones((2, 15))}, ValueError, r"\(2, 15\); expected \(n, 16\)"),
    "flat": ({"queries": np.ones(16)}, ValueError, r"\(16,\); expected \(n, 16\)"),
    "words": ({"queries": np.full((1, 16), "a")}, ValueError, "expected real numbers"),
    "k 0": ({"k": 0}, ValueError, "k is 0; expected a whole number of at least 1"),
    "k 1.5": ({"k": 1.5}, ValueError, "k is 1.5"),
    "k True": ({"k": True}, ValueError, "k is True"),
    "mask": ({"allowed": np.ones(3, bool)}, ValueError, "a bool for each of 2000 items"),
    "ids": ({"allowed": np.arange(2000)}, ValueError, "type int64"),
    "lists": ({"blocked": [np.array([1])]}, ValueError, "1 lists; expected one for each of 2"),
    "table": ({"blocked": np.ones((2, 1, 1), int)}, ValueError, "a flat array of whole numbers"),
    "floats": ({"blocked": [np.array([1.0])] * 2}, ValueError, "type float64"),
    "unknown": ({"blocked": [[1], [2000]]}, IndexError, "Item 2000 .* items 0 to 1999"),
    "negative": ({"blocked": [[1], [-1]]}, IndexError, "Item -1"),
}


@pytest.mark.parametrize("name", BAD_SEARCHES)
def test_bad_searches_are_refused(index, name):
    changed, error, message = BAD_SEARCHES[name]
    with pytest.raises(error, match=message):
        index.search(**{"queries": QUERIES[:2], "k": 3, **changed})


BAD_VECTORS = {
    "none": (np.empty((0, 16)), {}, "no vectors|too few"),
    "flat": (np.ones(16), {}, r"vectors has shape \(16,\)"),
    "no width": (np.ones((16, 0)), {}, r"vectors has shape \(16, 0\)"),
    "NaN": (np.where(np.eye(300), np.nan, 1.0), {}, "Row 0 of vectors"),
    "setting": (made_up(300), {"ef": 3}, "has no setting 'ef'; it has "),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BAD_VECTORS)
def test_bad_vectors_are_refused(kind, name):
    vectors, settings, message = BAD_VECTORS[name]
    with pytest.raises(ValueError, match=message):
        build_index(kind, vectors, **settings)


BAD_SETTINGS = [
    ("annoy", {}, "kind is 'annoy'; expected one of exact, hnsw, ivf_pq"),
    ("exact", {"precision": "int8"}, "precision is 'int8'"),
    ("hnsw", {"neighbours": 1}, "neighbours is 1"),
    ("hnsw", {"expansion": 0}, "expansion is 0"),
    ("hnsw", {"balance": 1.5}, "balance is 1.5; expected a number from 0 to 1"),
    ("hnsw", {"threads": 0}, "threads is 0"),
    ("ivf_pq", {"parts": 5}, "parts is 5"),
    ("ivf_pq", {"probes": 18, "lists": 17}, "probes 18"),
    ("ivf_pq", {"lists": 301}, "lists 301"),
]


@pytest.mark.parametrize(("kind", "settings", "message"), BAD_SETTINGS)
def test_bad_settings_are_refused(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        build_index(kind, made_up(300), **settings)


def test_larger_catalogues_get_more_effort():
    small, large = made_up(300), np.tile(np.eye(2), (25_000, 1))
    settings = {"neighbours": 2, "build_expansion": 1}
    efforts = [
        build_index("hnsw", each, **settings).settings["expansion"] for each in (small, large)
    ]
    assert efforts == [100, 112]
    assert build_index("ivf_pq", small).settings["candidates"] == 200


def test_numbers_beyond_float16_are_refused():
    with pytest.raises(ValueError, match="beyond 65504"):
        build_index("exact", np.full((2, 2), 1e5), precision="float16")


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_one_item(kind):
    ids, scores = build_index(kind, np.array([[2.0, 0.0]])).search(np.array([[-1.0, 5.0]]), 2)
    assert ids.tolist() == [[0, -1]]
    assert scores.tolist() == [[-2.0, -np.inf]]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_vectors_are_all_found(kind):
    vectors = np.repeat(made_up(1), 300, axis=0)
    ids, _ = build_index(kind, vectors).search(made_up(1), 300)
    assert sorted(ids[0].tolist()) == list(range(300))


@pytest.mark.parametrize("memory_map", [True, False])
def test_a_saved_index_answers_the_same(index, memory_map, tmp_path):
    save_index(index, tmp_path / "items")
    found = load_index(tmp_path / "items", memory_map)
    assert (type(found), found.settings) == (type(index), index.settings)
    for filters in ({}, {"allowed": np.arange(2000) % 25 == 0}, {"allowed": np.arange(2000) < 900}):
        for one, other in zip(
            found.search(QUERIES, 10, **filters), index.search(QUERIES, 10, **filters), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    rows = found.exact.rows if hasattr(found, "exact") else found.rows
    if memory_map and index.kind != "hnsw":
        assert isinstance(rows, np.memmap)
    with pytest.raises(FileExistsError, match="exists"):
        save_index(index, tmp_path / "items")


def test_an_index_that_was_loaded_can_be_saved(index, tmp_path):
    save_index(index, tmp_path / "one")
    save_index(load_index(tmp_path / "one"), tmp_path / "two")
    found = load_index(tmp_path / "two").search(QUERIES, 10)[0]
    np.testing.assert_array_equal(found, index.search(QUERIES, 10)[0])


def test_a_changed_file_is_refused(index, tmp_path):
    save_index(index, tmp_path / "items")
    path = max((tmp_path / "items").iterdir(), key=lambda each: each.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="changed since it was written"):
        load_index(tmp_path / "items")
    (tmp_path / "items" / MANIFEST).unlink()
    with pytest.raises(FileNotFoundError, match="expected the folder of a item index"):
        load_index(tmp_path / "items")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"index": "annoy", "n_items": 2}, "of kind 'annoy'; expected one of exact"),
        ({"index": "exact", "n_items": 3}, "holds 2 items of 2 dimensions; its manifest says 3"),
    ],
)
def test_a_manifest_that_says_otherwise_is_refused(content, message, tmp_path):
    built = build_index("exact", np.eye(2))
    with new_folder(tmp_path / "items") as draft:
        built._write(draft)
        seal(draft, "item index", 1, {"settings": built.settings, "dimensions": 2, **content})
    with pytest.raises(ValueError, match=message):
        load_index(tmp_path / "items")


def test_faiss_keeps_the_threads_it_had(index):
    before = faiss.omp_get_max_threads()
    index.search(QUERIES, 3)
    build_index("hnsw", made_up(300), threads=1)
    assert faiss.omp_get_max_threads() == before


def test_two_threads_build(index):
    assert recall(build_index(index.kind, made_up(), **index.settings)) >= 0.95


def numbered(version, n=400, d=4):
    """Vectors whose scores with a query of ones name their version."""
    return np.full((n, d), version, np.float32) + np.eye(n, d, dtype=np.float32) * 0.1


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_every_answer_is_of_one_version(kind):
    live = LiveIndex(build_index(kind, numbered(1)))
    wrong, seen, stop = [], set(), threading.Event()

    def ask():
        while not stop.is_set():
            low = live.version
            _, scores = live.search(np.ones((3, 4)), 8)
            high = live.version
            versions = set(np.floor(scores / 4).astype(int).ravel().tolist())
            if len(versions) != 1 or not low <= min(versions) <= high:
                wrong.append((low, versions, high))
            seen.update(versions)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for each in askers:
        each.start()
    futures = [live.rebuild_in_background(numbered(version)) for version in range(2, 12)]
    assert [future.result(60).number for future in futures] == list(range(2, 12))
    stop.set()
    for each in askers:
        each.join()
    assert not wrong
    assert seen
    assert live.version == 11


@pytest.mark.parametrize(
    ("vectors", "settings", "error", "message"),
    [
        (np.full((400, 4), np.nan), {}, ValueError, "Row 0 of vectors"),
        (np.ones((400, 5)), {}, ValueError, r"expected \(n, 4\)"),
        (np.empty((0, 4)), {}, ValueError, "no vectors"),
        (numbered(2), {"ef": 1}, ValueError, "no setting 'ef'"),
        (numbered(2), {"kind": "annoy"}, ValueError, "expected one of exact, hnsw, ivf_pq"),
        (numbered(2), {"kind": "hnsw", "pruning": True}, ValueError, "hnsw has no setting"),
        (numbered(2), {"kind": "hnsw", "neighbours": 1}, ValueError, "neighbours is 1"),
        (numbered(2)[:99], {"kind": "ivf_pq"}, ValueError, "too few for IVF-PQ"),
        (numbered(2), {"queries": np.ones((2, 3))}, ValueError, r"queries has shape \(2, 3\)"),
        (numbered(2), {"queries": np.ones((0, 4))}, ValueError, "no queries to check with"),
    ],
)
def test_a_rebuild_that_fails_changes_nothing(vectors, settings, error, message):
    live = LiveIndex(build_index("exact", numbered(1)))
    expected = live.search(np.ones((1, 4)), 5)
    with pytest.raises(error, match=message):
        live.rebuild(vectors, **settings)
    with pytest.raises(error, match=message):
        live.rebuild_in_background(vectors, **settings).result(60)
    assert live.version == 1
    for one, other in zip(live.search(np.ones((1, 4)), 5), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert live.rebuild(numbered(3, n=500)).number == 2
    assert live.current.index.n_items == 500


def test_a_rebuild_changes_the_kind_and_keeps_settings_only_where_it_stays():
    live = LiveIndex(build_index("exact", made_up(), precision="float16"))
    steps = [
        ({}, "exact", {"precision": "float16", "pruning": True}),
        ({"pruning": False}, "exact", {"precision": "float16", "pruning": False}),
        ({"kind": "hnsw", "balance": 1.0}, "hnsw", {"balance": 1.0, "neighbours": 16}),
        ({"neighbours": 24}, "hnsw", {"balance": 1.0, "neighbours": 24}),
        ({"kind": "ivf_pq"}, "ivf_pq", {"precision": "float32", "seed": 0}),
        ({"kind": "ivf_pq", "seed": 5}, "ivf_pq", {"precision": "float32", "seed": 5}),
        ({"kind": "exact"}, "exact", {"precision": "float32", "pruning": True}),
    ]
    for number, (asked, kind, has) in enumerate(steps, 2):
        version = live.rebuild(made_up(), **asked)
        assert version is live.current
        assert (version.number, version.index.kind) == (number, kind)
        assert has.items() <= version.index.settings.items()
        assert version.recall >= live.least_recall
        built = build_index(kind, made_up(), **version.index.settings)
        np.testing.assert_array_equal(live.search(QUERIES)[0], built.search(QUERIES)[0])
    assert LiveIndex(build_index("exact", made_up())).current.recall is None


def test_an_index_is_checked_with_the_queries_of_its_rebuild():
    # Of two far groups of items each query needs one, and a single list is looked into.
    rng = np.random.default_rng(0)
    groups = np.repeat([[9.0, 0, 0, 0], [0, 9.0, 0, 0]], 200, axis=0)
    vectors = groups + rng.standard_normal((400, 4))
    live = LiveIndex(build_index("exact", vectors), queries=np.array([[1.0, 0, 0, 0]]))
    one_list = {"lists": 2, "probes": 1, "candidates": 400}
    assert live.rebuild(vectors, "ivf_pq", **one_list).recall == 1
    between = np.array([[1.0, 1, 0, 0]])
    with pytest.raises(RebuildError, match=r"of the exact 10 best"):
        live.rebuild(vectors, queries=between)
    assert live.version == 2
    assert live.rebuild(vectors).number == 3


def test_as_many_are_checked_as_are_asked_for():
    few, many = (LiveIndex(build_index("exact", made_up()), QUERIES, k=k) for k in (1, 200))
    some = {"lists": 40, "probes": 12, "candidates": 400}
    assert few.rebuild(made_up(), "ivf_pq", **some).recall >= 0.95
    with pytest.raises(RebuildError, match="of the exact 200 best"):
        many.rebuild(made_up(), "ivf_pq", **some)
    more = LiveIndex(build_index("exact", numbered(1)), k=1000)
    assert more.rebuild(numbered(2)).recall == 1


@pytest.mark.parametrize("queries", [None, QUERIES])
def test_an_index_that_finds_too_little_is_not_taken(queries):
    live = LiveIndex(build_index("ivf_pq", made_up()), queries, least_recall=0.9)
    with pytest.raises(
        RebuildError, match=r"of the exact 10 best; expected at least 0\.9\. Version 1 goes"
    ):
        live.rebuild(made_up(seed=3), probes=1, candidates=1)
    assert live.version == 1
    assert live.rebuild(made_up(seed=3)).number == 2
    assert live.current.index.settings["probes"] > 1


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (numbered(2)[::-1] * [[1, 2, 3, 4]], "not those of the vectors"),
        (np.ones((3, 4)), "3 items"),
    ],
)
def test_an_index_of_other_vectors_is_not_taken(vectors, message, monkeypatch):
    live = LiveIndex(build_index("exact", numbered(1)))
    wrong = build_index("exact", vectors)
    monkeypatch.setattr(live_module, "build_index", lambda *given, **settings: wrong)
    with pytest.raises(RebuildError, match=message):
        live.rebuild(numbered(2))
    assert live.version == 1


def test_a_closed_index_is_searched_but_not_rebuilt():
    live = LiveIndex(build_index("exact", numbered(1)))
    live.close()
    assert live.search(np.ones((1, 4)), 2)[0].shape == (1, 2)
    with pytest.raises(RuntimeError, match="shutdown"):
        live.rebuild_in_background(numbered(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"least_recall": 1.5}, "least_recall is 1.5"),
        ({"queries": np.ones((1, 3))}, r"expected \(n, 4\)"),
        ({"queries": np.ones((0, 4))}, "no queries to check with"),
        ({"k": 0}, "k is 0"),
    ],
)
def test_bad_checks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LiveIndex(build_index("exact", numbered(1)), **arguments)


def test_kinds_are_classes():
    kinds = {"exact": ExactIndex, "hnsw": HNSWIndex, "ivf_pq": IVFPQIndex}
    for kind, made in kinds.items():
        assert type(build_index(kind, made_up(300))) is made
