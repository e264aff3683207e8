"""Masks, schedules, pruning while training, sensitivity and trimming."""

import itertools
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rsutils.compress import (
    KeepZeros,
    Pruner,
    Schedule,
    column_mask,
    drop_layer,
    importance,
    magnitude_mask,
    make_twin,
    n_of_m_mask,
    prunable,
    prune,
    row_mask,
    sensitivity,
    sparsities,
    trim_units,
)
from rsutils.data import FieldRows, Interactions
from rsutils.models import NCF, ncf
from rsutils.models.fields import FieldModel
from rsutils.models.fields.networks import build as build_fields

WEIGHTS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12),
    elements=st.floats(-(2.0**99), 2.0**99, width=32),
)
RATES = st.floats(0, 1, exclude_max=True)


@given(WEIGHTS, RATES)
@settings(max_examples=150, deadline=None)
def test_a_mask_drops_the_wanted_number_and_the_smallest(weights, sparsity):
    mask = magnitude_mask(weights, sparsity)
    assert mask.shape == weights.shape
    assert (~mask).sum() == round(sparsity * weights.size)
    if mask.any() and not mask.all():
        assert np.abs(weights[~mask]).max() <= np.abs(weights[mask]).min()


@given(WEIGHTS, RATES, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_blocks_stay_or_go_as_a_whole(weights, sparsity, rows, columns):
    mask = magnitude_mask(weights, sparsity, (rows, columns))
    assert mask.shape == weights.shape
    blocks = [
        mask[i : i + rows, j : j + columns]
        for i in range(0, weights.shape[0], rows)
        for j in range(0, weights.shape[1], columns)
    ]
    assert all(block.all() or not block.any() for block in blocks)
    assert sum(not block.any() for block in blocks) == round(sparsity * len(blocks))


@given(WEIGHTS, st.integers(1, 4), st.integers(0, 3), st.sampled_from([0, 1]))
@settings(max_examples=150, deadline=None)
def test_n_of_m_keeps_n_of_every_group(weights, n, more, axis):
    m = n + more
    mask = np.moveaxis(n_of_m_mask(weights, 0.5, n, m, axis), axis, -1)
    for start in range(0, mask.shape[-1], m):
        group = mask[..., start : start + m]
        assert (group.sum(-1) == min(n, group.shape[-1])).all()


def test_masks_by_hand():
    kernel = np.array([[4.0, 0.1], [-3.0, 0.2], [0.5, 9.0], [0.1, 8.0]])
    assert magnitude_mask(kernel, 0.75).astype(int).tolist() == [[0, 0], [0, 0], [0, 1], [0, 1]]
    halves = magnitude_mask(kernel, 0.5, (2, 1))
    assert halves.astype(int).tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
    assert n_of_m_mask(kernel).sum(0).tolist() == [2, 2]
    assert n_of_m_mask(kernel, 0.0).all()
    rows = row_mask(np.ones((5, 3)), 0.4, counts=[5, 0, 1, 0, 0])
    assert rows.astype(int)[:, 0].tolist() == [1, 0, 1, 0, 0]
    assert row_mask(kernel, 0.5).astype(int)[:, 0].tolist() == [0, 0, 1, 1]
    assert magnitude_mask(np.ones((2, 2)), 0.5).sum() == 2
    assert column_mask(kernel, 0.5).astype(int)[0].tolist() == [0, 1]
    assert column_mask(kernel, 0.5, [2, 1]).astype(int)[:, 1].tolist() == [0] * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: magnitude_mask(np.ones(3), 1.0), "sparsity is 1.0; expected a share from 0"),
        (lambda: magnitude_mask(np.ones(3), -0.1), "sparsity is -0.1"),
        (lambda: magnitude_mask(np.ones(3), float("nan")), "sparsity is nan"),
        (lambda: magnitude_mask(np.array([np.nan]), 0.5), "not finite"),
        (lambda: magnitude_mask(np.ones(3), 0.5, (2, 2)), r"block is \(2, 2\) for weights"),
        (lambda: magnitude_mask(np.ones((3, 3)), 0.5, (0, 2)), r"block is \(0, 2\)"),
        (lambda: n_of_m_mask(np.ones((4, 4)), n=5, m=4), "n is 5 and m is 4"),
        (lambda: row_mask(np.ones(4), 0.5), r"shape \(4,\); expected rows"),
        (lambda: row_mask(np.ones((4, 2)), 0.5, [1, 2]), "2 numbers for 4 rows"),
        (lambda: column_mask(np.ones((4, 2)), 0.5, [1]), "1 numbers for 2 dimensions"),
        (lambda: Schedule(1.5), "final is 1.5"),
        (lambda: Schedule(0.5, begin=9, end=3), "begin is 9 and end is 3"),
        (lambda: Schedule(0.5, every=0), "every is 0"),
    ],
)
def test_impossible_wishes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@given(RATES, RATES, st.integers(0, 50), st.integers(0, 50), st.floats(0.5, 4))
@settings(max_examples=100, deadline=None)
def test_a_schedule_goes_from_initial_to_final_without_turning_back(a, b, begin, length, power):
    low, high = sorted((a, b))
    schedule = Schedule(high, begin, begin + length, low, power)
    values = [schedule(step) for step in range(begin, begin + length + 3)]
    assert all(0 <= x <= y + 1e-12 for x, y in itertools.pairwise(values))
    assert values[-1] == high
    assert not begin or schedule(begin - 1) == 0
    if length:
        assert values[0] == pytest.approx(low)


def toy(n=64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 12)).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(8, activation="relu", name="hidden"),
            keras.layers.Dense(1, name="line"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model, x, x[:, :1] * 2


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_zeros_hold_through_training_and_after_it(steps_per_execution):
    model, x, y = toy()
    model.compile(keras.optimizers.Adam(0.01), "mse", steps_per_execution=steps_per_execution)
    model.fit(x, y, batch_size=8, verbose=0)  # compiles a step without masks
    plan = {"hidden": Schedule(0.75, begin=12, end=28, every=4)}
    model.fit(x, y, batch_size=8, epochs=6, verbose=0, callbacks=[Pruner(model, plan)])
    assert sparsities(model) == {"hidden": 0.75, "line": 0.0}
    zeros = model.layers[0].kernel.numpy() == 0
    model.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[KeepZeros(model)])
    assert ((model.layers[0].kernel.numpy() == 0) == zeros).all()
    assert model.layers[0].kernel.constraint is None
    assert model.layers[0].get_config()["kernel_constraint"] is None
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    assert sparsities(model)["hidden"] < 0.75


def test_masks_only_grow_while_pruning():
    model, x, y = toy()
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(model.layers[0].kernel.numpy() == 0)

    pruner = Pruner(model, Schedule(0.9, begin=2, end=30, every=3))
    model.fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=[pruner, Watch()])
    for before, after in itertools.pairwise(seen):
        assert after[before].all()
    assert not seen[1].any()
    assert seen[-1].mean() == pytest.approx(0.9, abs=0.01)


def test_training_that_ends_before_the_schedule_prunes_as_far_as_it_came():
    model, x, y = toy()
    schedule = Schedule(0.8, end=1000, every=100)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0, callbacks=[Pruner(model, schedule)])
    assert sparsities(model)["hidden"] == pytest.approx(schedule(8), abs=0.01)


def test_patterns_and_sparsities_by_layer():
    model, x, y = toy()
    plans = {"hidden": Schedule(0.5), "line": Schedule(0.25)}
    pruner = Pruner(model, plans, {"hidden": n_of_m_mask})
    model.fit(x, y, epochs=1, verbose=0, callbacks=[pruner])
    assert ((model.layers[0].kernel.numpy() != 0).reshape(3, 4, 8).sum(1) == 2).all()
    assert sparsities(model)["line"] == 0.25


def test_layers_that_do_not_exist_are_named():
    model, _, _ = toy()
    for call in (
        lambda: Pruner(model, {"nowhere": Schedule(0.5)}),
        lambda: Pruner(model, Schedule(0.5), {"nowhere": magnitude_mask}),
        lambda: prune(model, {"nowhere": 0.5}),
        lambda: sensitivity(model, lambda: 0.0, layers=["nowhere"]),
    ):
        with pytest.raises(ValueError, match=r"layer 'nowhere'; .* in hidden, line"):
            call()
    before = model.get_weights()
    with pytest.raises(ValueError, match="sparsity is 2"):
        prune(model, {"hidden": 0.5, "line": 2})
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_masks_are_those_of_tfmot():
    import tensorflow_model_optimization as tfmot
    import tf_keras

    config = ncf.NCFConfig(30, 40, hidden=(16, 8))
    model = ncf.build(keras, config)
    twin = make_twin(ncf.build, config, model)
    schedule = tfmot.sparsity.keras.ConstantSparsity(0.6, 0, frequency=1)
    pruned = tfmot.sparsity.keras.prune_low_magnitude(twin, schedule)
    pruned.compile(tf_keras.optimizers.SGD(0.0), "mse")
    pairs = {"user": np.arange(30, dtype=np.int32), "item": np.arange(30, dtype=np.int32)}
    update = tfmot.sparsity.keras.UpdatePruningStep()
    pruned.fit(pairs, np.ones(30, np.float32), verbose=0, callbacks=[update])
    theirs = tfmot.sparsity.keras.strip_pruning(pruned)
    for name, weights in prunable(prune(model, 0.6)).items():
        layer = theirs.get_layer(name)
        found = getattr(layer, "kernel", None)
        found = (layer.embeddings if found is None else found).numpy()
        if name == "logit":  # all ones: which of equal weights go is not defined
            continue
        np.testing.assert_array_equal(weights.numpy(), found, err_msg=name)


def test_ncf_is_pruned_while_it_is_refined():
    rng = np.random.default_rng(0)
    log = Interactions.of(
        rng.integers(20, size=300), rng.integers(30, size=300), n_users=20, n_items=30
    )
    model = NCF(8, 8, (8, 4), epochs=1, batch_size=64, progress=False).fit(log)
    pruner = Pruner(model.model_, Schedule(0.8, end=8, every=2))
    model.refine(log, 0.01, 2, [pruner])
    assert all(abs(share - 0.8) < 0.04 for share in sparsities(model.model_).values())
    assert np.isfinite(model.scores([0, 1])).all()
    with pytest.raises(ValueError, match="20 users and 29 items; expected 20 and 30"):
        model.refine(Interactions.of([0], [0], n_users=20, n_items=29), 0.01, 1)
    with pytest.raises(RuntimeError, match="learnt nothing yet"):
        NCF().refine(log, 0.01, 1)


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    ids = np.stack([rng.integers(5, size=n), 5 + rng.integers(7, size=n)], 1).astype(np.int32)
    return FieldRows(ids, (rng.random(n) < 0.5).astype(np.float32))


def test_field_models_are_refined_and_keep_the_best_pruned_epoch():
    model = FieldModel("deepfm", 4, hidden=(8,), epochs=2, batch_size=64, progress=False)
    model.fit(rows(), n_features=12)
    plans = {"factors": Schedule(0.5, end=12, every=4), "hidden_1": Schedule(0.5, end=12, every=4)}
    pruner = Pruner(model.model_, plans)
    model.refine(rows(), 0.01, 4, rows(seed=1), start_from_epoch=2, callbacks=[pruner])
    found = sparsities(model.model_)
    assert (found["factors"], found["hidden_1"], found["weights"]) == (0.5, 0.5, 0.0)
    with pytest.raises(ValueError, match="99"):
        model.refine(FieldRows(np.array([[0, 99]], np.int32), np.ones(1, np.float32)), 0.01, 1)


def test_sensitivity_leaves_the_model_as_it_was():
    model, x, y = toy()
    before = [w.copy() for w in model.get_weights()]
    found = sensitivity(
        model, lambda: -float(np.square(model(x).numpy() - y).mean()), (0.0, 0.9), progress=False
    )
    assert found.layer.tolist() == ["hidden", "hidden", "line", "line"]
    assert found.weights.tolist() == [96, 96, 8, 8]
    assert (found.change[found.sparsity == 0] == 0).all()
    assert (found.change[found.sparsity == 0.9] != 0).all()
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)

    def broken():
        raise RuntimeError("no score")

    with pytest.raises(RuntimeError, match="no score"):
        sensitivity(model, broken, progress=False)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def trained_fields(batch_norm=True, kind="deepfm"):
    model = FieldModel(
        kind, 4, hidden=(8, 6, 4), batch_norm=batch_norm, epochs=2, batch_size=64, progress=False
    )
    return model.fit(rows(), n_features=12)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("kind", ["deepfm", "dcn"])
def test_trimming_units_that_do_nothing_changes_nothing(batch_norm, kind):
    model = trained_fields(batch_norm, kind)
    for number, dead in ((1, [0, 5]), (2, [3]), (3, [1])):
        layer = model.model_.get_layer(f"hidden_{number}")
        kernel, bias = layer.get_weights()
        kernel[:, dead], bias[dead] = 0, -1
        layer.set_weights([kernel, bias])
        if batch_norm:
            norm = model.model_.get_layer(f"norm_{number}")
            gamma, beta, mean, variance = norm.get_weights()
            gamma[dead], beta[dead] = 0, -1
            norm.set_weights([gamma, beta, mean, variance])
    worth = importance(model.model_)
    assert (worth["hidden_1"] == 0).nonzero()[0].tolist() == [0, 5]
    config, network = trim_units(build_fields, model.config(), model.model_, (6, 5, 3))
    assert config.hidden == (6, 5, 3)
    small = model.with_model(network, hidden=config.hidden)
    ids = rows(seed=2).features
    np.testing.assert_allclose(small.probability(ids), model.probability(ids), atol=1e-6)
    assert network.count_params() < model.model_.count_params()
    assert small.config() == config
    assert model.hidden == (8, 6, 4)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_dropping_a_layer_whose_relu_lets_all_pass_changes_nothing(number):
    model = trained_fields(batch_norm=False)
    layer = model.model_.get_layer(f"hidden_{number}")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias + 100])
    ids = rows(seed=2).features
    config, network = drop_layer(build_fields, model.config(), model.model_, number, ids)
    assert len(config.hidden) == 2
    small = model.with_model(network, hidden=config.hidden)
    logits = [each.model_(ids).numpy() for each in (small, model)]
    np.testing.assert_allclose(*logits, rtol=1e-3, atol=1e-3)


def test_a_relu_becomes_the_line_that_is_nearest_to_it():
    model = trained_fields()
    ids = rows(seed=2).features
    _config, network = drop_layer(build_fields, model.config(), model.model_, 3, ids)
    gap = np.square(network(ids).numpy() - model.model_(ids).numpy()).mean()
    deep = network.get_layer("deep")
    kernel, bias = deep.get_weights()
    for factor in (0.9, 1.1):
        deep.set_weights([kernel * factor, bias])
        other = np.square(network(ids).numpy() - model.model_(ids).numpy()).mean()
        deep.set_weights([kernel, bias])
        assert gap < other


def test_ncf_loses_a_layer_and_is_saved(tmp_path):
    rng = np.random.default_rng(0)
    log = Interactions.of(
        rng.integers(20, size=300), rng.integers(30, size=300), n_users=20, n_items=30
    )
    model = NCF(8, 8, (8, 4), epochs=1, batch_size=64, progress=False).fit(log)
    pairs = {"user": log.user[:50], "item": log.item[:50]}
    config, network = drop_layer(ncf.build, model.config(), model.model_, 2, pairs)
    small = model.with_model(network, hidden=config.hidden)
    again = NCF.load(small.save(tmp_path / "small"))
    np.testing.assert_array_equal(again.scores([0, 3]), small.scores([0, 3]))
    assert again.hidden == (8,)
    small.refine(log, 0.01, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(trim_units, hidden=(9, 6, 4)), r"hidden is \(9, 6, 4\); expected 3 layers"),
        (partial(trim_units, hidden=(8, 6)), r"hidden is \(8, 6\)"),
        (partial(trim_units, hidden=(0, 6, 4)), r"hidden is \(0, 6, 4\)"),
        (
            partial(drop_layer, number=4, examples=rows().features),
            "number is 4 and the model has 3 hidden layers",
        ),
    ],
)
def test_what_cannot_be_trimmed_is_refused(call, message):
    model = trained_fields()
    with pytest.raises(ValueError, match=message):
        call(build_fields, model.config(), model.model_)
    fm = FieldModel("fm", 4, epochs=1, progress=False).fit(rows(), n_features=12)
    with pytest.raises(ValueError, match="no hidden layers"):
        importance(fm.model_)
    with pytest.raises(ValueError, match="no setting 'wide'"):
        model.with_model(model.model_, wide=3)
