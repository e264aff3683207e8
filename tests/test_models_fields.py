"""The models of categorical fields: what they compute, how they train, what they refuse."""

import subprocess
import sys
from itertools import combinations

import keras
import numpy as np
import pytest
import tf_keras
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.data import FieldRows
from rsutils.evaluate import auc
from rsutils.models.fields import KERAS_RS, KINDS, FieldConfig, FieldModel, build
from rsutils.models.fields.train import penalty

SMALL = {"dimensions": 4, "hidden": (8, 4), "epochs": 3, "batch_size": 64, "progress": False}
TWINS = [kind for kind in KINDS if kind not in KERAS_RS]
SIZES = (6, 5, 4)


@pytest.fixture(scope="module")
def rows():
    """Three fields; the label says whether the first two ids agree in parity, so a pair decides."""
    rng = np.random.default_rng(0)
    ids = np.column_stack([rng.integers(0, size, 600) for size in SIZES])
    label = (ids[:, 0] % 2 == ids[:, 1] % 2).astype(np.float32)
    return FieldRows((ids + np.array([0, 6, 11])).astype(np.int32), label)


@pytest.fixture(scope="module")
def fitted(rows):
    options = SMALL | {"batch_norm": True, "dropout": 0.1, "l2": 1e-4, "learning_rate": 0.02}
    return {kind: FieldModel(kind, **options).fit(rows) for kind in KINDS}


def table(model, name):
    return model.get_layer(name).embeddings.numpy()


def double_sum(vectors):
    """Each pair's product, added up: what the linear-time form must equal. (d,)"""
    return sum(vectors[i] * vectors[j] for i, j in combinations(range(len(vectors)), 2))


@settings(max_examples=25, deadline=None)
@given(n_fields=st.integers(2, 9), dimensions=st.integers(1, 7), seed=st.integers(0, 10**6))
def test_both_forms_of_the_second_order_term_equal_the_double_sum(n_fields, dimensions, seed):
    rng = np.random.default_rng(seed)
    model = build(keras, FieldConfig("dnfm", 3 * n_fields, n_fields, dimensions, hidden=(2,)))
    model.get_layer("factors").set_weights([rng.normal(size=(3 * n_fields, dimensions))])
    read = keras.Model(
        model.input, [model.get_layer(n).output for n in ("second_order", "bi_interaction")]
    )
    ids = (rng.integers(0, 3, (5, n_fields)) + 3 * np.arange(n_fields)).astype(np.int32)
    scalar, pooled = (output.numpy() for output in read(ids))
    expected = np.array([double_sum(vectors) for vectors in table(model, "factors")[ids]])
    np.testing.assert_allclose(pooled, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(scalar[:, 0], expected.sum(axis=1), rtol=1e-3, atol=1e-4)


def test_fm_is_weights_and_all_pairs(fitted, rows):
    model = fitted["fm"].model_
    w, v = table(model, "weights"), table(model, "factors")
    ids = rows.features[:20]
    expected = [w[row].sum() + double_sum(v[row]).sum() for row in ids]
    np.testing.assert_allclose(model(ids).numpy()[:, 0], expected, atol=1e-5)
    p = fitted["fm"].probability(ids)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-np.array(expected))), atol=1e-5)


def test_dcn_crosses_by_its_formula(fitted, rows):
    model = fitted["dcn"].model_
    read = keras.Model(
        model.input, [model.get_layer(n).output for n in ("flat", "cross_1", "cross_2")]
    )
    x0, x1, x2 = (output.numpy() for output in read(rows.features[:20]))
    for number, (before, after) in enumerate([(x0, x1), (x1, x2)], 1):
        kernel, bias = model.get_layer(f"cross_{number}").get_weights()
        np.testing.assert_allclose(x0 * (before @ kernel + bias) + before, after, atol=1e-5)


def test_dlrm_reads_every_inner_product(fitted, rows):
    model = fitted["dlrm"].model_
    read = keras.Model(model.input, model.get_layer("dots").output)
    v = table(model, "factors")[rows.features[0]]
    expected = [v[0] @ v[1], v[0] @ v[2], v[1] @ v[2]]
    np.testing.assert_allclose(read(rows.features[:1]).numpy()[0], expected, atol=1e-6)


@pytest.mark.parametrize("kind", TWINS)
def test_the_twin_has_the_same_names_and_logits(kind, fitted, rows):
    twin = build(tf_keras, fitted[kind].config())
    model = fitted[kind].model_
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    twin.set_weights(model.get_weights())
    np.testing.assert_allclose(twin(rows.features).numpy(), model(rows.features).numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", KERAS_RS)
def test_what_has_no_twin_is_refused_with_the_reason(kind):
    with pytest.raises(ValueError, match="keras-rs, which needs Keras 3"):
        build(tf_keras, FieldConfig(kind, 15, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_it_is_the_same(kind, fitted, rows, tmp_path):
    loaded = FieldModel.load(fitted[kind].save(tmp_path / "fields"))
    np.testing.assert_array_equal(
        loaded.probability(rows.features), fitted[kind].probability(rows.features)
    )
    assert loaded.config() == fitted[kind].config()
    with pytest.raises(ValueError, match="Feature 15 in row 0, field 2, is unknown"):
        loaded.probability([[0, 7, 15]])


def test_layers_of_keras_rs_are_found_by_a_process_that_has_loaded_nothing(fitted, rows, tmp_path):
    folder = fitted["dcn"].save(tmp_path / "dcn")
    code = "import sys; from rsutils.models.fields import FieldModel; "
    code += "print(FieldModel.load(sys.argv[1]).probability([[0, 7, 12]])[0])"
    told = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    expected = fitted["dcn"].probability([[0, 7, 12]])[0]
    assert float(told.stdout) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_one_table_of_factors_serves_all_fields(kind, fitted):
    tables = [la for la in fitted[kind].model_.layers if isinstance(la, keras.layers.Embedding)]
    assert [t.embeddings.shape[0] for t in tables] == [sum(SIZES)] * len(tables)
    assert sum(t.name == "factors" for t in tables) == (kind != "lr")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_pair_decides_is_learnt_by_all_but_single_features(kind, rows):
    options = SMALL | {"dimensions": 8, "hidden": (16,), "epochs": 40, "learning_rate": 0.03}
    found = FieldModel(kind, **options).fit(rows).probability(rows.features)
    assert found.shape == (600,)
    assert found.dtype == np.float32
    score = auc(rows.label, found)
    assert score < 0.65 if kind == "lr" else score > 0.95


@pytest.mark.parametrize("kind", ["fm", "dnfm", "dcn"])
def test_a_seed_gives_one_model_bit_for_bit(kind, fitted, rows):
    first = fitted[kind]
    again = FieldModel(
        kind, **SMALL, batch_norm=True, dropout=0.1, l2=1e-4, learning_rate=0.02
    ).fit(rows)
    np.testing.assert_array_equal(
        again.probability(rows.features), first.probability(rows.features)
    )
    other = FieldModel(kind, **SMALL, learning_rate=0.02, seed=1).fit(rows)
    assert not np.allclose(other.probability(rows.features), first.probability(rows.features))


class PullThePlug(keras.callbacks.Callback):
    """Ctrl-C at the start of an epoch's second step."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_to_the_same_weights(rows, tmp_path):
    def model():
        return FieldModel("dnfm", **SMALL, dropout=0.3, batch_norm=True, l2=0.01)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "run")

    undisturbed = model().fit(rows)
    with pytest.raises(KeyboardInterrupt):
        model().fit(rows, callbacks=[backup(), PullThePlug(epoch=2)])
    resumed = model().fit(rows, callbacks=[backup()])
    assert len(resumed.history_["loss"]) == 1
    for one, other in zip(
        undisturbed.model_.get_weights(), resumed.model_.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("monitor", ["auc", "log_loss"])
def test_the_best_epoch_on_validation_stays(monitor, rows):
    flipped = np.where(np.arange(80) % 5 == 0, 1 - rows.label[:80], rows.label[:80])
    noisy = FieldRows(rows.features[:80], flipped)
    held_out = FieldRows(rows.features[80:], rows.label[80:])
    options = SMALL | {"epochs": 60, "learning_rate": 0.05, "patience": 4, "monitor": monitor}
    model = FieldModel("deepfm", **options).fit(noisy, held_out, n_features=15)
    values = model.history_[monitor]
    best = int(np.argmax(values) if monitor == "auc" else np.argmin(values))
    assert best < len(values) - 1 < 59
    if monitor == "auc":
        assert auc(held_out.label, model.probability(held_out.features)) == max(values)


def test_the_penalty_is_the_same_for_rare_and_frequent_ids():
    model = FieldModel("fm", 4)
    model.n_features_, model.n_fields_ = 15, 3
    network = build(keras, model.config())
    factors, weights = (np.square(table(network, n)).sum() for n in ("factors", "weights"))
    with penalty(network, {"factors": 0.5, "weights": 4.0}):
        expected = 0.25 * factors + 2.0 * weights
        assert float(sum(network.losses)) == pytest.approx(expected, rel=1e-5)
    assert network.losses == []


def test_divergence_is_an_error_and_not_a_model(rows):
    with pytest.raises(FloatingPointError, match="lower it"):
        FieldModel("dnn", **SMALL, learning_rate=1e38).fit(rows)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([[0, 7, 15]], "Feature 15 in row 0, field 2, is unknown; this model knows 0 to 14"),
        ([[0, 7, 12], [0, -1, 12]], "Feature -1 in row 1, field 1"),
        ([[0, 7]], r"shape \(1, 2\); expected \(n, 3\)"),
        ([0, 7, 12], r"shape \(3,\)"),
        ([[0.5, 7.0, 12.0]], "type float64; expected whole numbers"),
    ],
)
def test_unknown_features_are_named(features, message, fitted):
    with pytest.raises(ValueError, match=message):
        fitted["fm"].probability(features)


def test_no_rows_give_no_probabilities(fitted):
    assert fitted["fm"].probability(np.zeros((0, 3), np.int32)).shape == (0,)


@pytest.mark.parametrize(
    ("rows_given", "message"),
    [
        (FieldRows(np.zeros((0, 3), np.int32), np.zeros(0)), "expected at least one row"),
        (FieldRows(np.zeros((2, 3), np.int32), np.zeros(1)), "2 rows with 1 labels"),
        (FieldRows(np.zeros((1, 3), np.int32), np.float32([-1])), "Label -1 in row 0"),
        (FieldRows(np.zeros((1, 3), np.float32), np.float32([1])), "type float32"),
        (FieldRows(np.zeros(1, np.int32), np.float32([1])), r"shape \(1,\)"),
        (FieldRows(np.full((1, 3), -1, np.int32), np.float32([1])), "Feature -1"),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused(rows_given, message, rows):
    with pytest.raises(ValueError, match=message):
        FieldModel("fm", **SMALL).fit(rows_given)
    with pytest.raises(ValueError, match=message):
        FieldModel("fm", **SMALL).fit(rows, validation=rows_given)


def test_validation_with_features_that_training_lacks_shows_the_way_on(rows):
    unseen = FieldRows(np.array([[0, 6, 15]], np.int32), np.float32([1]))
    with pytest.raises(ValueError, match="Pass n_features to fit"):
        FieldModel("fm", **SMALL).fit(rows, unseen)


def test_before_fit_the_way_on_is_shown():
    with pytest.raises(RuntimeError, match=r"call fit\(rows\)"):
        FieldModel().probability([[0]])


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"kind": "xdeepfm"}, "expected one of lr, fm"),
        ({"monitor": "accuracy"}, "expected one of auc, log_loss"),
        ({"kind": "dnn", "hidden": ()}, "hidden"),
        ({"hidden": (8, 0)}, r"hidden\[1\]"),
        ({"dimensions": 0}, "dimensions"),
        ({"cross_layers": 0}, "cross_layers"),
        ({"patience": 0}, "patience"),
        ({"l2": -1.0}, "l2"),
        ({"l2_weights": float("nan")}, "l2_weights"),
        ({"dropout": 1.0}, "dropout"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"stddev": 0.0}, "stddev"),
        ({"norm_momentum": 1.0}, "norm_momentum"),
    ],
)
def test_settings_out_of_range_are_named(given, name):
    with pytest.raises(ValueError, match=name):
        FieldModel(**given)
