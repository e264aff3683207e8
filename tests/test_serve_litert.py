"""LiteRT files score as the Keras model does, and int8 is a quarter of the size."""

import keras
import numpy as np
import pytest

from rsutils.compress import make_twin
from rsutils.data import Interactions
from rsutils.models import SoftmaxCF, ncf_network
from rsutils.models.base import top_k
from rsutils.models.fields import networks
from rsutils.serve.litert import LiteRTRunner, LiteRTScorer, export_litert
from tests.random_weights import with_random_weights

NEUMF = ncf_network.NCFConfig(n_users=300, n_items=200, gmf_dimensions=32, hidden=(32, 16))


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    log = Interactions.of(rng.integers(0, 300, 4000), rng.integers(0, 400, 4000))
    return SoftmaxCF(dimensions=32, epochs=1, progress=False).fit(log)


def test_fp32_gives_the_same_scores_and_lists(model, tmp_path):
    scorer = LiteRTScorer(export_litert(model.model_, tmp_path / "new" / "fp32.tflite"))
    users = np.arange(50)
    assert np.abs(scorer.scores(users) - model.scores(users)).max() < 1e-5
    assert np.array_equal(top_k(scorer.scores(users), 10), top_k(model.scores(users), 10))
    assert scorer.score_one(3).shape == (400,)


def test_int8_is_smaller_and_close(model, tmp_path):
    fp32 = export_litert(model.model_, tmp_path / "fp32.tflite")
    int8 = export_litert(model.model_, tmp_path / "int8.tflite", int8=True)
    assert int8.stat().st_size < 0.35 * fp32.stat().st_size
    users = np.arange(50)
    expected, found = model.scores(users), LiteRTScorer(int8).scores(users)
    assert 0 < np.abs(found - expected).max() < 0.05 * np.ptp(expected)


def test_only_the_whole_file_is_left(model, tmp_path):
    export_litert(model.model_, tmp_path / "fp32.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["fp32.tflite"]


@pytest.fixture(scope="module")
def neumf():
    return with_random_weights(ncf_network.build(keras, NEUMF))


def pairs(n=400, seed=1):
    rng = np.random.default_rng(seed)
    return {
        "user": rng.integers(0, NEUMF.n_users, n, dtype=np.int32),
        "item": rng.integers(0, NEUMF.n_items, n, dtype=np.int32),
    }


def error(found, expected):
    """Root mean squared, as a share of the standard deviation."""
    return np.sqrt(np.mean(np.square(found - expected))) / expected.std()


def test_batches_of_any_size_by_name(neumf, tmp_path):
    runner = LiteRTRunner(export_litert(neumf, tmp_path / "fp32.tflite"))
    assert runner.inputs == {"item": ("batch",), "user": ("batch",)}
    for n in (7, 1, 400, 400, 7):
        inputs = pairs(n, seed=n)
        expected = neumf(inputs).numpy()
        assert np.abs(runner(inputs) - expected).max() < 1e-5
        assert np.abs(runner(dict(reversed(inputs.items()))) - expected).max() < 1e-5
    users = np.repeat(np.arange(20, dtype=np.int32), 200)
    inputs = {"user": users, "item": np.tile(np.arange(200, dtype=np.int32), 20)}
    lists = [top_k(f(inputs).reshape(20, 200), 10) for f in (runner, lambda x: neumf(x).numpy())]
    assert np.array_equal(*lists)


@pytest.mark.parametrize(
    ("settings", "size", "largest_error"),
    [
        ({"fp16": True}, 0.55, 0.002),
        ({"int8": True}, 0.3, 0.1),
        ({"int8": True, "calibration": [pairs(64, seed) for seed in range(8)]}, 0.3, 0.3),
    ],
    ids=["fp16", "dynamic", "static"],
)
def test_smaller_files_are_close(neumf, tmp_path, settings, size, largest_error):
    fp32 = export_litert(neumf, tmp_path / "fp32.tflite")
    small = export_litert(neumf, tmp_path / "small.tflite", **settings)
    assert small.stat().st_size < size * fp32.stat().st_size
    runner = LiteRTRunner(small, threads=2)
    assert 0 < error(runner(pairs()), neumf(pairs()).numpy()) < largest_error
    assert runner(pairs(3)).dtype == np.float32


def test_one_array_for_one_input(tmp_path):
    config = networks.FieldConfig("deepfm", 50, 4, 8, hidden=(8,), batch_norm=True)
    model = with_random_weights(networks.build(keras, config))
    runner = LiteRTRunner(export_litert(model, tmp_path / "deepfm.tflite"))
    ids = np.random.default_rng(0).integers(0, 50, (30, 4))
    assert np.abs(runner(ids) - model(ids).numpy()).max() < 1e-5
    assert np.array_equal(runner({"features": ids}), runner(ids))


def test_a_twin_is_exported_with_what_training_learnt_about_ranges(neumf, tmp_path):
    import tensorflow_model_optimization as tfmot
    import tf_keras

    twin = make_twin(ncf_network.build, NEUMF, neumf)
    plain = LiteRTRunner(export_litert(twin, tmp_path / "twin.tflite"))
    assert np.abs(plain(pairs()) - neumf(pairs()).numpy()).max() < 1e-5

    x = tf_keras.Input((40,), name="x")
    hidden = tf_keras.layers.Dense(256, activation="relu", name="hidden")(x)
    network = tf_keras.Model(x, tf_keras.layers.Dense(1, name="logit")(hidden))
    aware = tfmot.quantization.keras.quantize_model(network)
    aware.compile("sgd", "mse")
    rows = np.random.default_rng(0).normal(size=(256, 40)).astype(np.float32)
    aware.fit(rows, rows[:, 0], epochs=2, verbose=0)
    fp32 = export_litert(network, tmp_path / "plain.tflite")
    small = export_litert(aware, tmp_path / "aware.tflite", int8=True)
    assert small.stat().st_size < 0.4 * fp32.stat().st_size
    assert error(LiteRTRunner(small)(rows), aware(rows).numpy()) < 0.02


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"int8": True, "fp16": True}, "int8 and fp16 are both True"),
        ({"calibration": [pairs(2)]}, "int8 is False; it is for int8=True"),
        ({"int8": True, "calibration": []}, "There is no calibration data"),
        ({"int8": True, "calibration": [{"user": [1]}]}, "inputs user; expected item, user"),
    ],
)
def test_what_cannot_be_exported_is_refused(neumf, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        export_litert(neumf, tmp_path / "model.tflite", **settings)
    with pytest.raises(TypeError, match=r"is a builtins\.list; expected one of keras or tf_keras"):
        export_litert([], tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def test_inputs_that_do_not_fit_are_refused(neumf, tmp_path):
    runner = LiteRTRunner(export_litert(neumf, tmp_path / "model.tflite"))
    for inputs, message in (
        (np.arange(3), "reads item, user; give a dict by name"),
        ({"user": [1]}, "inputs are user; expected item, user"),
        ({"user": [[1]], "item": [1]}, r"user has the shape \(1, 1\); expected \(batch,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            runner(inputs)


@pytest.mark.parametrize("reader", [LiteRTScorer, LiteRTRunner])
def test_missing_and_damaged_files_are_named(neumf, tmp_path, reader):
    path = tmp_path / "none.tflite"
    with pytest.raises(FileNotFoundError, match=r"none\.tflite does not exist; write it"):
        reader(path)
    content = export_litert(neumf, path).read_bytes()
    with pytest.raises(ValueError, match="threads is 0; expected at least 1"):
        reader(path, threads=0)
    for wrong in (b"", b"a model", content[: len(content) // 2]):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"none\.tflite is no LiteRT model"):
            reader(path)


def test_batches_that_grow_and_shrink_give_what_they_give_alone(neumf, tmp_path):
    every = pairs(20)
    path = export_litert(neumf, tmp_path / "int8.tflite", int8=True, calibration=[every])
    runner = LiteRTRunner(path)
    for size in (1, 7, 20, 3, 20, 1):
        part = {name: ids[:size] for name, ids in every.items()}
        np.testing.assert_array_equal(runner(part), LiteRTRunner(path)(part))


def test_a_file_that_is_replaced_does_not_change_what_is_running(neumf, tmp_path):
    path = export_litert(neumf, tmp_path / "fp32.tflite")
    runner, every = LiteRTRunner(path), pairs(20)
    before = runner(every)
    path.write_bytes(b"something else")
    for size in (3, 20):
        part = {name: ids[:size] for name, ids in every.items()}
        np.testing.assert_allclose(runner(part), before[:size], atol=1e-6)
