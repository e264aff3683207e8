"""A search over compressions writes files that are what their settings say."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from rsutils.compress import KeepZeros, Pruner, QuantizationAware, QuantizedTable
from rsutils.data.interactions import Interactions
from rsutils.models import NCF
from rsutils.models.ncf_network import NCFConfig, build
from rsutils.serve import OnnxScorer, search_compression
from rsutils.serve.onnx_graph import constants, read_onnx
from tests.random_weights import with_random_weights

TABLES = {"mlp_user": 60, "mlp_item": 40}
PAIRS = {"user": np.arange(40, dtype=np.int32), "item": np.arange(40, dtype=np.int32)}


def recommender(dimension):
    config = NCFConfig(60, 40, gmf_dimensions=0, mlp_dimensions=dimension, hidden=(8,))
    return SimpleNamespace(model_=with_random_weights(build(keras, config)))


@pytest.fixture(scope="module")
def models():
    return {dimension: recommender(dimension) for dimension in (4, 16)}


def nearness(models):
    """Minus the error of a file's scores against those of the largest network."""
    whole = models[16].model_(PAIRS).numpy()
    return lambda file: -float(np.mean(np.square(OnnxScorer(file)(PAIRS) - whole)))


def run(models, folder, trials=14, **more):
    return search_compression(
        models,
        nearness(models),
        folder,
        trials,
        progress=False,
        **{"sparsities": (0.0, 0.5)} | more,
    )


def test_files_are_those_of_the_front_and_models_stay(models, tmp_path):
    before = {dimension: each.model_.get_weights() for dimension, each in models.items()}
    found = run(models, tmp_path / "deep", budget={"bytes": 4000})
    assert [*found.files] == found.points.index.tolist()
    quality = nearness(models)
    for trial, file in found.files.items():
        point = found.points.loc[trial]
        assert file.stat().st_size == point["bytes"] <= 4000
        assert quality(file) == pytest.approx(point["quality"])
    assert set(found.trials["dimension"]) == {4, 16}
    assert set(found.trials["hidden bits"]) <= {32, 16, 8}
    assert {"sparsity hidden_1", "bits mlp_item"} <= {*found.trials}
    assert "sparsity logit" not in found.trials
    for dimension, weights in before.items():
        for old, now in zip(weights, models[dimension].model_.get_weights(), strict=True):
            assert np.array_equal(old, now)


def test_untouched_a_file_is_the_export(models, tmp_path):
    alone = {16: models[16]}
    fixed = {"sparsities": (0.0,), "tables": (32,), "dense": (32,), "trials": 1}
    found = run(alone, tmp_path, **fixed)
    weights = [w for w in models[16].model_.get_weights() if w.ndim == 2]
    stored = [v for v in constants(read_onnx(found.files[0]).graph).values() if v.ndim == 2]
    for value in stored:
        assert any(np.array_equal(value, weight) for weight in weights)
    assert len(stored) == len(weights)
    again = run(alone, tmp_path / "again", **fixed)
    assert again.files[0].read_bytes() == found.files[0].read_bytes()
    assert found.points["quality"].tolist() == pytest.approx([0], abs=1e-9)


def test_what_is_pruned_at_once_is_zero_in_the_file(models, tmp_path):
    fixed = {"sparsities": (0.5,), "tables": (32,), "dense": (32,), "trials": 1}
    found = run({16: models[16]}, tmp_path, **fixed)
    stored = [v for v in constants(read_onnx(found.files[0]).graph).values() if v.ndim == 2]
    shares = {value.shape: float(np.mean(value == 0)) for value in stored}
    assert shares == {(60, 16): 0.5, (40, 16): 0.5, (32, 8): 0.5, (8, 1): 0.0}


def test_layers_that_are_not_named_keep_all_weights(models, tmp_path):
    fixed = {"tables": (32,), "dense": (32,), "trials": 1}
    found = run({16: models[16]}, tmp_path, sparsities={"mlp_item": (0.8,)}, **fixed)
    stored = [v for v in constants(read_onnx(found.files[0]).graph).values() if v.ndim == 2]
    zeros = {value.shape: float(np.mean(value == 0)) for value in stored}
    assert zeros == {(60, 16): 0.0, (40, 16): 0.8, (32, 8): 0.0, (8, 1): 0.0}
    assert "sparsity mlp_user" not in found.trials


def test_costs_of_the_caller_are_measured(models, tmp_path):
    """Archives see zeros: here the number of bytes that are not 0."""

    def nonzero(file):
        return sum(byte != 0 for byte in file.read_bytes())

    costs = {"nonzero": nonzero, "ms": lambda file: 2.0}
    found = run(models, tmp_path, costs=costs, budget={"ms": 3, "nonzero": 9000})
    for trial, file in found.files.items():
        assert nonzero(file) == found.points.loc[trial, "nonzero"]
    assert "bytes" not in found.trials
    with pytest.raises(ValueError, match=r"No trial is within the budget \{'ms': 1\}"):
        run(models, tmp_path / "other", costs=costs, budget={"ms": 1}, trials=2)


def test_more_trials_go_on_where_fewer_ended(models, tmp_path):
    run(models, tmp_path / "a", trials=5)
    written = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").glob("*.onnx")}
    again = run(models, tmp_path / "a", trials=8)
    for name, time in written.items():
        assert (tmp_path / "a" / name).stat().st_mtime_ns == time
    undisturbed = run(models, tmp_path / "b", trials=8)
    assert again.trials.drop(columns="seconds").equals(undisturbed.trials.drop(columns="seconds"))


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    return Interactions.of(rng.integers(0, 60, 400), rng.integers(0, 40, 400))


def test_weights_are_trained_while_they_are_pruned_and_rounded(log, tmp_path):
    model = NCF(0, 8, hidden=(8,), epochs=1, batch_size=64, progress=False).fit(log)
    asked = []

    def tune(recommender, callbacks):
        asked.append([type(callback) for callback in callbacks])
        recommender.refine(log, 0.01, 2, callbacks)

    kept = {}

    def quality(file):
        kept.update({name: model.model_.get_layer(name).get_weights()[0] for name in TABLES})
        return 1.0

    found = search_compression(
        {8: model}, quality, tmp_path, 1, sparsities=(0.5,), tables=(4,), dense=(16,), tune=tune,
        aware=True, steps=5, progress=False,
    )  # fmt: skip
    assert asked == [[Pruner], [QuantizationAware]]
    assert len(found.files) == 1
    # Measured after the block, when the model has its own weights again.
    assert all(np.mean(table == 0) < 0.1 for table in kept.values())


def test_the_file_holds_what_training_with_the_rounding_ended_with(log, tmp_path):
    model = NCF(0, 8, hidden=(8,), epochs=1, batch_size=64, progress=False).fit(log)
    ends = {}

    def tune(recommender, callbacks):
        recommender.refine(log, 0.05, 2, callbacks)
        if isinstance(callbacks[0], KeepZeros):
            assert np.mean(recommender.model_.get_layer("mlp_user").embeddings.numpy() == 0) == 0.5
        ends.update({n: recommender.model_.get_layer(n).get_weights()[0] for n in TABLES})
        ends["scores"] = recommender.model_(PAIRS).numpy()

    found = search_compression(
        {8: model}, lambda file: 1.0, tmp_path, 1, sparsities=(0.5,), tables=(4,), dense=(32,),
        tune=tune, aware=True, progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(OnnxScorer(found.files[0])(PAIRS), ends["scores"], atol=1e-5)
    for name, rows in TABLES.items():
        table = ends[name]
        assert np.mean(table == 0) >= 0.5
        np.testing.assert_allclose(
            table, QuantizedTable.of(table, 4).rows(np.arange(rows)), atol=1e-5
        )


def test_a_model_without_hidden_layers_has_no_bits_for_them(tmp_path):
    config = NCFConfig(60, 40, gmf_dimensions=8, hidden=())
    model = SimpleNamespace(model_=with_random_weights(build(keras, config)))
    found = search_compression(
        {8: model}, lambda file: 1.0, tmp_path, 6, sparsities=[0.0], progress=False
    )
    assert "hidden bits" not in found.trials
    assert len(found.trials) == 6
    assert set(found.trials["bits gmf_user"]) <= {16, 8, 4}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tables": (16, 5)}, r"tables holds 5 bits; expected some of \[32, 16, 8, 4\]"),
        ({"dense": (4,)}, r"dense holds 4 bits; expected some of \[32, 16, 8\]"),
        ({"aware": True}, "aware is True and tune is None"),
        ({"sparsities": ()}, "expected choices, each once"),
        ({"sparsities": (1.0,)}, "sparsities of mlp_user is 1.0"),
        (
            {"sparsities": {"user": (0.5,)}},
            r"to prune in 'user'; there is \['mlp_user', 'mlp_item'",
        ),
        ({"trials": 0}, "trials is 0"),
        ({"budget": {"ms": 3}}, "budget names 'ms'"),
        ({"costs": {"quality": len}}, "quality"),
        ({"steps": -1}, "steps is -1"),
    ],
)
def test_arguments_out_of_range_are_named(models, tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        run(models, tmp_path, **given)
    assert not list(tmp_path.glob("*.onnx"))


def test_models_that_do_not_go_together_are_refused(models, tmp_path):
    with pytest.raises(ValueError, match="models is empty"):
        search_compression({}, len, tmp_path, 1)
    gmf = build(keras, NCFConfig(60, 40, gmf_dimensions=8, hidden=()))
    with pytest.raises(
        ValueError, match=r"dimension 8 has .*gmf_user.* that of 4 .*the same layer"
    ):
        search_compression(models | {8: SimpleNamespace(model_=gmf)}, len, tmp_path, 1)
    x = keras.Input((3,))
    dense = SimpleNamespace(model_=keras.Model(x, keras.layers.Dense(2)(x)))
    with pytest.raises(ValueError, match="has no table to compress"):
        search_compression({2: dense}, len, tmp_path, 1)
