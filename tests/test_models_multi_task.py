"""Shared bottoms and mixtures of experts: shapes, sizes, sums by hand, saving, bad input."""

import keras
import numpy as np
import pytest
import tf_keras
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.compress.twin import copy_weights
from rsutils.data.interactions import Interactions
from rsutils.evaluate import auc
from rsutils.models.multi_task import (
    KINDS,
    UNKNOWN,
    KnownLabels,
    MultiTaskConfig,
    MultiTaskModel,
    build,
    click_and_like,
)

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def rows():
    """Two groups of users take the items of their parity, and like those above 10."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(30, size=3000), rng.integers(20, size=3000)
    taken = (user % 2 == item % 2).astype(np.float32)
    liked = np.where(taken == 1, item > 10, UNKNOWN)
    return np.stack([user, 30 + item], 1), np.stack([taken, liked], 1)


@pytest.fixture(scope="module")
def models(rows):
    settings = {"dimensions": 4, "units": 8, "tower": 4, "experts": 3, "batch_size": 256}
    return {
        kind: MultiTaskModel(kind, **settings, epochs=15, learning_rate=0.02, **QUIET).fit(*rows)
        for kind in KINDS
    }


@given(
    st.sampled_from(KINDS),
    st.tuples(*[st.integers(1, 6)] * 7),
)
@settings(max_examples=25, deadline=None)
def test_parameters_are_known_before_a_network_is_built(kind, sizes):
    n_features, n_fields, n_tasks, dimensions, units, experts, tower = sizes
    # One expert alone would have a gate that is always 1.
    config = MultiTaskConfig(
        kind, n_features, n_fields, n_tasks, dimensions, units, experts + 1, tower
    )
    model = build(keras, config)
    assert model.count_params() == config.parameters
    logits = model(np.zeros((3, n_fields), np.int32)).numpy()
    assert logits.shape == (3, n_tasks)
    assert np.isfinite(logits).all()


def test_sharing_saves_the_tables_of_all_tasks_but_one():
    apart, shared = (
        MultiTaskConfig(kind, n_features=1000, n_fields=2).parameters
        for kind in ("separate", "shared_bottom")
    )
    assert apart - shared == 1000 * 16 + (2 * 16 + 1) * 64


@pytest.mark.parametrize("kind", KINDS)
def test_the_twin_gives_the_same_logits(kind, models, rows):
    model = models[kind]
    twin = build(tf_keras, model.config())
    copy_weights(model.model_, twin)
    ids = rows[0][:50].astype(np.int32)
    np.testing.assert_allclose(twin(ids).numpy(), model.model_(ids).numpy(), rtol=1e-4, atol=1e-5)


def test_a_task_sees_the_experts_weighted_by_its_gate(models, rows):
    model = models["mmoe"].model_
    ids = rows[0][:20].astype(np.int32)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    flat = weights["factors"][0][ids].reshape(20, -1)

    def dense(name, z):
        kernel, bias = weights[name]
        return z @ kernel + bias

    experts = np.maximum(dense("experts", flat), 0).reshape(20, 3, 8)
    expected = []
    for task in ("task_1", "task_2"):
        gate = np.exp(dense(f"{task}_gate", flat))
        gate /= gate.sum(1, keepdims=True)
        mixed = (gate[:, :, None] * experts).sum(1)
        hidden = np.maximum(dense(f"{task}_tower", mixed), 0)
        expected.append(dense(f"{task}_logit", hidden))
    np.testing.assert_allclose(model(ids).numpy(), np.hstack(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_both_tasks_are_learnt(kind, models, rows):
    features, labels = rows
    found = models[kind].probability(features)
    assert found.shape == (len(features), 2)
    for task in range(2):
        known = labels[:, task] != UNKNOWN
        assert auc(labels[known, task], found[known, task]) > 0.95


def test_tasks_apart_do_not_feel_each_other(rows):
    """Whatever the second task's labels are, the first task's network stays the same."""
    features, labels = rows
    other = labels.copy()
    other[:, 1] = 1 - labels[:, 0]

    def first(kind, given):
        model = MultiTaskModel(kind, 4, 8, epochs=2, **QUIET).fit(features, given)
        return model.probability(features[:50])[:, 0]

    np.testing.assert_allclose(first("separate", labels), first("separate", other), rtol=1e-5)
    shared = first("shared_bottom", labels), first("shared_bottom", other)
    assert np.abs(shared[0] - shared[1]).max() > 1e-3


def test_a_row_without_a_label_does_not_count():
    loss = KnownLabels((1.0, 3.0))
    labels = np.array([[1.0, UNKNOWN], [0.0, 1.0]], np.float32)
    logits = np.array([[2.0, 99.0], [-1.0, 0.5]], np.float32)
    expected = [np.log1p(np.exp(-2.0)), np.log1p(np.exp(-1.0)) + 3 * np.log1p(np.exp(-0.5))]
    np.testing.assert_allclose(loss.call(labels, logits), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_gives_the_same(kind, models, rows, tmp_path):
    model = models[kind]
    again = MultiTaskModel.load(model.save(tmp_path / kind))
    found = model.probability(rows[0][:100])
    np.testing.assert_array_equal(again.probability(rows[0][:100]), found)
    assert again.config() == model.config()


def test_clicks_and_likes_come_from_a_log():
    log = Interactions.of([0, 0, 1, 2], [0, 1, 2, 3], rating=[5, 3, 4, 1], n_items=9)
    features, labels = click_and_like(log, negatives=2, seed=3)
    assert features.shape == (12, 2)
    np.testing.assert_array_equal(labels[:4], [[1, 1], [1, 0], [1, 1], [1, 0]])
    assert (labels[4:] == [0, UNKNOWN]).all()
    taken = set(zip(log.user.tolist(), log.item.tolist(), strict=True))
    drawn = set(zip(features[4:, 0].tolist(), (features[4:, 1] - 3).tolist(), strict=True))
    assert not taken & drawn
    assert features[:, 1].min() >= 3


def test_no_item_is_drawn_that_a_user_has_in_another_part():
    log = Interactions.of(np.zeros(8, int), np.arange(8), n_items=9)
    features, _ = click_and_like(log.take([0]), negatives=5, seed=0, known=log)
    assert (features[1:, 1] == 1 + 8).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "esmm"}, "kind is 'esmm'"),
        ({"experts": 0}, "experts is 0"),
        ({"l2": -1.0}, "l2 is -1.0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"weights": (1.0, 0.0)}, r"weights\[1\] is 0.0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
    ],
)
def test_settings_out_of_range_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskModel(**given)


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.zeros((0, 2), int), np.zeros((0, 2)), "at least one row"),
        (np.zeros((3, 2), int), np.zeros((2, 2)), "Got 3 rows"),
        (np.zeros((2, 2), int), np.zeros(2), r"labels \(n, n_tasks\)"),
        (np.zeros(2, int), np.zeros((2, 2)), "an id a field"),
        (np.zeros((2, 2)), np.zeros((2, 2)), "whole numbers"),
        (np.full((2, 2), -3), np.zeros((2, 2)), "Feature -3 in row 0"),
        (np.zeros((2, 2), int), np.array([[0, 1], [0.5, 1]]), "Label 0.5 in row 1, task 0"),
        (np.zeros((2, 2), int), np.array([[0, np.nan], [1, 1]]), "Label nan in row 0, task 1"),
        (np.zeros((2, 2), int), np.array([[0, -1], [1, -1]]), "Task 1 has no label"),
        (np.zeros((2, 2), int), np.zeros((2, 3)), "one for each of 3 tasks"),
    ],
)
def test_rows_that_nothing_can_be_learnt_from_are_refused(features, labels, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskModel(weights=(1.0, 2.0), **QUIET).fit(features, labels)


def test_before_fit_the_way_on_is_shown():
    with pytest.raises(RuntimeError, match="call fit first"):
        MultiTaskModel().probability([[0, 1]])


def test_divergence_is_an_error_and_not_a_model(rows):
    with pytest.raises(FloatingPointError, match="lower it"):
        MultiTaskModel(learning_rate=1e38, epochs=3, **QUIET).fit(*rows)


def test_an_unknown_kind_is_not_built():
    with pytest.raises(ValueError, match="kind is 'apart'"):
        build(keras, MultiTaskConfig("apart", 3, 2))
