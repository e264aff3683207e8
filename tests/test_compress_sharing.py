"""Compact tables, collisions, truncation and weight clustering."""

import keras
import numpy as np
import pytest
import tf_keras
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rsutils.compress.clustering import cluster, cluster_model, fine_tune_clustered
from rsutils.compress.collisions import UniversalHash, expected_collisions, share_colliding
from rsutils.compress.compact_tables import (
    CompactTable,
    HashedTable,
    LowRankTable,
    QuotientRemainderTable,
)
from rsutils.compress.low_rank import truncate
from rsutils.compress.mixed_table import MixedTable
from rsutils.compress.twin import copy_weights
from rsutils.models import ncf
from rsutils.models.fields import FieldConfig
from rsutils.models.fields import build as build_fields
from rsutils.serve.onnx_export import export_onnx
from rsutils.serve.onnx_scorer import OnnxScorer

COUNTS = [3, 0, 50, 7, 7, 900, 1, 12, 0, 4, 31]
TABLES = {
    "full": CompactTable(11, 6),
    "modulo": HashedTable(11, 6, buckets=4, universal=False),
    "universal": HashedTable(11, 6, buckets=4),
    "two": HashedTable(11, 6, buckets=4, functions=2),
    "product": QuotientRemainderTable(11, 6, remainders=4),
    "sum": QuotientRemainderTable(11, 6, remainders=4, mode="sum"),
    "concat": QuotientRemainderTable(11, 5, remainders=4, mode="concat"),
    "low_rank": LowRankTable(11, 6, rank=2),
    "mixed": MixedTable.of(COUNTS, 6, blocks=3, temperature=0.5),
    "mixed_in_order": MixedTable.of(sorted(COUNTS, reverse=True), 6, blocks=3),
    "mixed_of_one": MixedTable.of(COUNTS, 6, blocks=1),
}
FLOATS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=20),
    elements=st.floats(-(2.0**99), 2.0**99, width=32),
)


def build(K, config):
    """A model of one table, and a shape of ids."""
    table, shape = config
    ids = K.Input(shape, dtype="int32", name="ids")
    return K.Model(ids, table(K, ids, "vectors"), name="table")


def started(table, shape=(), K=keras):
    model = build(K, (table, shape))
    for number, weights in enumerate(model.trainable_weights):
        rng = np.random.default_rng(number)
        weights.assign(rng.normal(size=weights.shape).astype(np.float32))
    return model


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("K", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_parameters_are_known_before_a_table_is_built(name, K):
    table = TABLES[name]
    model = started(table, K=K)

    def count(variables):
        return sum(int(np.prod(v.shape)) for v in variables)

    assert count(model.trainable_weights) == table.parameters
    assert count(model.non_trainable_weights) == table.constants


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("shape", [(), (3,)], ids=["an id", "a row"])
def test_a_table_has_a_twin_and_is_saved_with_standard_layers(name, shape, tmp_path):
    table = TABLES[name]
    model, twin = started(table, shape), build(tf_keras, (table, shape))
    copy_weights(model, twin)
    ids = np.random.default_rng(0).integers(11, size=(8, *shape), dtype=np.int32)
    vectors = model(ids).numpy()
    assert vectors.shape == (8, *shape, table.dimensions)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(twin(ids).numpy(), vectors, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "table.keras")
    loaded = keras.saving.load_model(tmp_path / "table.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(ids).numpy(), vectors)


@pytest.mark.parametrize("name", ["two", "product", "mixed"])
def test_a_table_exports_with_its_whole_number_arithmetic(name, tmp_path):
    model = started(TABLES[name])
    ids = np.arange(11, dtype=np.int32)
    scorer = OnnxScorer(export_onnx(model, tmp_path / "table.onnx"))
    np.testing.assert_allclose(scorer({"ids": ids}), model(ids).numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", TABLES)
def test_every_learnt_number_counts(name):
    """A table none of whose ids reads a row would promise more numbers than it has."""
    table = TABLES[name]
    model = started(table)
    before = model(np.arange(11)).numpy()
    for weights in model.trainable_weights:
        values = weights.numpy()
        for row in range(len(values)):
            changed = values.copy()
            changed[row] += 1
            weights.assign(changed)
            moved = not np.allclose(model(np.arange(11)).numpy(), before)
            # A hash function may leave a bucket empty.
            assert moved or isinstance(table, HashedTable), (weights.name, row)
        weights.assign(values)


def test_what_a_table_computes_by_hand():
    by_name = {name: started(TABLES[name]) for name in TABLES}
    ids = np.arange(11)

    def weights(name, layer):
        return by_name[name].get_layer(layer).get_weights()[0]

    def vectors(name):
        return by_name[name](ids).numpy()

    np.testing.assert_array_equal(vectors("modulo"), weights("modulo", "vectors")[ids % 4])
    quotient, remainder = (weights("product", f"vectors_{n}") for n in ("quotient", "remainder"))
    expected = quotient[ids // 4] * remainder[ids % 4]
    np.testing.assert_allclose(vectors("product"), expected, rtol=1e-6)
    quotient, remainder = (weights("concat", f"vectors_{n}") for n in ("quotient", "remainder"))
    assert quotient.shape == (3, 2)
    expected = np.hstack([quotient[ids // 4], remainder[ids % 4]])
    np.testing.assert_array_equal(vectors("concat"), expected)
    expected = weights("low_rank", "vectors_narrow") @ weights("low_rank", "vectors")
    np.testing.assert_allclose(vectors("low_rank"), expected, rtol=1e-5, atol=1e-6)
    pool, (one, two) = weights("two", "vectors_pool"), TABLES["two"].hashes()
    np.testing.assert_allclose(vectors("two"), pool[one(ids)] + pool[two(ids)], rtol=1e-6)


@pytest.mark.parametrize("name", ["mixed", "mixed_in_order"])
def test_an_id_has_the_vector_of_its_block_and_no_other(name):
    table, model = TABLES[name], started(TABLES[name])
    places = np.arange(11) if table.places is None else table.places
    bounds = np.cumsum([0, *table.sizes])
    found = model(np.arange(11)).numpy()
    for place in range(11):
        block = int(np.searchsorted(bounds, place, side="right"))
        vector = model.get_layer(f"vectors_{block}_table").get_weights()[0]
        vector = vector[place - bounds[block - 1]]
        if table.lengths[block - 1] < table.dimensions:
            vector = vector @ model.get_layer(f"vectors_{block}_up").get_weights()[0]
        np.testing.assert_allclose(
            found[np.flatnonzero(places == place)[0]], vector, rtol=1e-5, atol=1e-6
        )


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=60),
    st.integers(1, 8),
    st.integers(1, 12),
    st.floats(0, 2),
)
@settings(max_examples=200, deadline=None)
def test_blocks_go_by_popularity(counts, blocks, dimensions, temperature):
    table = MixedTable.of(counts, dimensions, blocks, temperature)
    assert sum(table.sizes) == len(counts)
    assert len(table.sizes) <= blocks
    assert table.lengths[0] == dimensions
    assert list(table.lengths) == sorted(table.lengths, reverse=True)
    places = np.arange(len(counts)) if table.places is None else table.places
    in_order = np.array(counts)[np.argsort(places)]
    assert (np.diff(in_order) <= 0).all()


@given(st.integers(1, 3000), st.integers(1, 3000))
@settings(max_examples=200, deadline=None)
def test_no_two_ids_share_quotient_and_remainder(n_ids, remainders):
    remainders = min(remainders, n_ids)
    table = QuotientRemainderTable(n_ids, 4, remainders=remainders)
    ids = np.arange(n_ids)
    quotient, remainder = ids // remainders, ids % remainders
    assert len(set(zip(quotient.tolist(), remainder.tolist(), strict=True))) == n_ids
    assert quotient.max() < table.rows[0]
    assert remainder.max() < table.rows[1]


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_a_hash_is_a_bucket_and_no_product_leaves_int32(n_ids, buckets, seed):
    h = UniversalHash.draw(n_ids, min(buckets, n_ids), seed)
    ids = np.unique(np.random.default_rng(0).integers(n_ids, size=50)).astype(np.int32)
    narrow, wide = h(ids), h(ids.astype(np.int64))
    assert narrow.dtype == np.int32
    np.testing.assert_array_equal(narrow, wide)
    assert narrow.min() >= 0
    assert narrow.max() < h.buckets


@pytest.mark.parametrize(("n_ids", "buckets"), [(50, 100), (500, 100), (300, 300)])
def test_two_ids_collide_as_seldom_as_by_chance(n_ids, buckets):
    ids = np.arange(n_ids)
    left_over, shared = [], []
    for seed in range(400):
        counts = np.bincount(UniversalHash.draw(n_ids, buckets, seed)(ids), minlength=buckets)
        left_over.append(n_ids - (counts > 0).sum())
        shared.append(counts[counts > 1].sum() / n_ids)
    # Consecutive ids are spread more evenly than independent draws; never less.
    assert np.mean(left_over) < 1.15 * expected_collisions(n_ids, buckets)
    assert np.mean(shared) < 1.15 * share_colliding(n_ids, buckets)


@pytest.mark.parametrize(("n_ids", "buckets"), [(50, 100), (500, 100), (300, 30)])
def test_collisions_are_as_many_as_in_a_simulation(n_ids, buckets):
    rng = np.random.default_rng(5)
    shares = {1: [], 2: []}
    left_over = []
    for _ in range(2000):
        one, two = np.sort(rng.integers(buckets, size=(2, n_ids)), axis=0)
        counts = np.bincount(rng.integers(buckets, size=n_ids), minlength=buckets)
        left_over.append(n_ids - (counts > 0).sum())
        shares[1].append(counts[counts > 1].sum() / n_ids)
        counts = np.bincount(one * buckets + two)
        shares[2].append(counts[counts > 1].sum() / n_ids)
    assert np.mean(left_over) == pytest.approx(expected_collisions(n_ids, buckets), rel=0.02)
    for functions, found in shares.items():
        expected = share_colliding(n_ids, buckets, functions)
        error = 4 * np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found) - expected) <= error + 1e-9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CompactTable(0, 4), "n_ids is 0"),
        (lambda: CompactTable(4, 4, stddev=0.0), "stddev is 0.0"),
        (lambda: HashedTable(10, 4, buckets=11), "buckets is 11; expected at most n_ids, 10"),
        (lambda: HashedTable(10, 4, buckets=5, functions=3), "functions is 3"),
        (lambda: HashedTable(10, 4, buckets=5, functions=2, universal=False), "functions is 2"),
        (lambda: HashedTable(10**9, 4, buckets=10**6), "leave int32"),
        (lambda: QuotientRemainderTable(10, 4, remainders=0), "remainders is 0"),
        (lambda: QuotientRemainderTable(10, 4, remainders=99), "remainders is 99"),
        (lambda: QuotientRemainderTable(10, 4, remainders=3, mode="dot"), "mode is 'dot'"),
        (lambda: QuotientRemainderTable(9, 1, remainders=3, mode="concat"), "needs at least 2"),
        (lambda: LowRankTable(10, 4, rank=4), "rank is 4; expected less than dimensions, 4"),
        (lambda: MixedTable(5, 4, sizes=(2, 2), lengths=(4, 2)), "add up to n_ids, 5"),
        (lambda: MixedTable(5, 4, sizes=(3, 2), lengths=(5, 2)), "expected at most 4"),
        (lambda: MixedTable(3, 4, sizes=(3,), lengths=(4,), places=[0, 2, 2]), "each once"),
        (lambda: MixedTable.of([1, -1], 4), "at least 0"),
        (lambda: MixedTable.of([], 4), "one number for each id"),
        (lambda: MixedTable.of([1], 4, temperature=-1), "temperature is -1"),
        (lambda: share_colliding(0, 5), "n_ids is 0"),
        (lambda: share_colliding(5, 5, functions=3), "functions is 3"),
        (lambda: expected_collisions(5, 0), "buckets is 0"),
        (lambda: truncate(np.ones((3, 2)), 3), "rank is 3; expected 1 to 2"),
        (lambda: truncate(np.ones(3), 1), "expected rows"),
        (lambda: truncate(np.full((2, 2), np.nan), 1), "not finite"),
        (lambda: cluster([], 2), "nothing to cluster"),
        (lambda: cluster([1.0, np.nan], 2), "not finite"),
        (lambda: cluster([1.0], 0), "n_clusters is 0; expected 1"),
        (lambda: cluster([1.0], 1, keep_zeros=True), "expected 2"),
    ],
)
def test_impossible_sizes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@given(
    arrays.arrays(
        np.float64,
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
        elements=st.floats(-1e3, 1e3),
    ),
    st.integers(1, 9),
)
@settings(max_examples=150, deadline=None)
def test_what_truncation_loses_is_what_it_says(table, rank):
    rank = min(rank, *table.shape)
    found = truncate(table, rank)
    lost = np.square(table - found.table).sum()
    assert lost == pytest.approx(found.error, rel=1e-3, abs=1e-6 * (1 + np.square(table).sum()))
    assert found.parameters == rank * sum(table.shape)


@given(FLOATS, st.integers(2, 40), st.booleans())
@settings(max_examples=300, deadline=None)
def test_clusters_are_few_ordered_and_within_the_weights(weights, n_clusters, keep_zeros):
    found = cluster(weights, n_clusters, keep_zeros=keep_zeros)
    assert found.codes.shape == weights.shape
    assert len(found.codebook) <= n_clusters
    assert (np.diff(found.codebook) > 0).all()
    assert set(np.unique(found.codes)) == set(range(len(found.codebook)))
    assert weights.min() <= found.codebook[0]
    assert found.codebook[-1] <= weights.max()
    if len(np.unique(weights)) <= n_clusters:
        np.testing.assert_array_equal(found.weights, weights)
    if keep_zeros:
        assert (found.weights[weights == 0] == 0).all()
    else:
        off = np.abs(weights[..., None].astype(float) - found.codebook.astype(float))
        chosen = np.take_along_axis(off, found.codes[..., None].astype(int), -1)[..., 0]
        np.testing.assert_allclose(chosen, off.min(-1), rtol=1e-6)


def test_k_means_by_hand():
    """Centres 0, 5, 10 begin; 4 and 6 are nearest to 5, and 11 and 9 to 10."""
    found = cluster(np.array([[0.0, 1.0, 4.0], [6.0, 9.0, 10.0]]), 3)
    assert found.codebook.tolist() == [0.5, 5.0, 9.5]
    assert found.codes.tolist() == [[0, 0, 1], [1, 2, 2]]
    assert found.bits == 2
    assert found.nbytes == 3 * 4 + 2


@pytest.mark.parametrize(("n", "bits"), [(1, 0), (2, 1), (3, 2), (16, 4), (17, 5), (300, 9)])
def test_bits_of_a_code(n, bits):
    found = cluster(np.repeat(np.arange(n), 8), n)
    assert found.bits == bits
    assert found.nbytes == 4 * n + bits * n


def test_more_clusters_lose_less():
    weights = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
    errors = [np.square(cluster(weights, n).weights - weights).mean() for n in (2, 4, 16, 64)]
    assert errors == sorted(errors, reverse=True)
    # Lloyd's quantizer of a normal variable: Max 1960, table 1.
    assert errors[0] == pytest.approx(0.3634, rel=0.05)
    assert errors[1] == pytest.approx(0.1175, rel=0.05)


def test_zeros_stay_zeros_and_small_weights_do_not_become_some():
    weights = np.array([0.0, 0.0, 0.01, -0.01, 1.0, -1.0, 0.0, 1.1], np.float32)
    found = cluster(weights, 3, keep_zeros=True).weights
    assert (found[weights == 0] == 0).all()
    assert np.count_nonzero(found) == np.count_nonzero(weights)


def test_the_chosen_layers_of_a_model_are_clustered_and_no_other():
    model = ncf.build(keras, ncf.NCFConfig(20, 30, 8, 4, (16,)))
    before = {layer.name: layer.get_weights() for layer in model.layers}
    found = cluster_model(model, {"gmf_user": 4, "hidden_1": 8})
    assert list(found) == ["gmf_user", "hidden_1"]
    for layer in model.layers:
        if layer.name in found:
            assert len(np.unique(layer.get_weights()[0])) == len(found[layer.name].codebook)
        else:
            for ours, theirs in zip(layer.get_weights(), before[layer.name], strict=True):
                np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="logits"):
        cluster_model(model, {"logits": 4})


CASES = {
    "ncf": (
        ncf.build,
        ncf.NCFConfig(20, 30, 8, 4, (16,)),
        {"user": np.arange(20, dtype=np.int32), "item": np.arange(20, dtype=np.int32)},
        {"gmf_user": 4, "hidden_1": 8},
    ),
    "fields": (
        build_fields,
        FieldConfig("deepfm", 30, 2, 4, hidden=(8,)),
        np.arange(40, dtype=np.int32).reshape(20, 2) % 30,
        {"factors": 4, "hidden_1": 8},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_fine_tuned_clusters_move_together(name):
    build_model, config, rows, chosen = CASES[name]
    model = build_model(keras, config)
    label = np.tile([0.0, 1.0], 10).astype(np.float32)
    cluster_model(model, chosen)
    before = model.get_weights()

    def loss():
        return float(keras.losses.binary_crossentropy(label, model(rows)[:, 0], True))

    start = loss()

    def train(twin):
        entropy = tf_keras.losses.BinaryCrossentropy(from_logits=True)
        twin.compile(tf_keras.optimizers.Adam(0.05), entropy)
        twin.fit(rows, label, epochs=30, batch_size=20, verbose=0)

    fine_tune_clustered(build_model, config, model, chosen, train)
    assert loss() < 0.8 * start
    for layer, n in chosen.items():
        assert len(np.unique(model.get_layer(layer).get_weights()[0])) <= n
    assert any((a != b).any() for a, b in zip(model.get_weights(), before, strict=True))


def test_fine_tuning_refuses_what_the_toolkit_cannot_do_and_what_diverged():
    build_model, config, *_ = CASES["ncf"]
    model = build_model(keras, config)
    with pytest.raises(ValueError, match="hidden_1 gets 1 clusters"):
        fine_tune_clustered(build_model, config, model, {"hidden_1": 1}, lambda twin: None)
    before = model.get_weights()

    def diverge(twin):
        twin.set_weights([np.full(w.shape, np.nan) for w in twin.get_weights()])

    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        fine_tune_clustered(build_model, config, model, {"hidden_1": 4}, diverge)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
