"""ONNX files score as the Keras model does; smaller ones hold the rows that they promise."""

import pickle
import subprocess
import sys
from collections import Counter

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from rsutils.compress import QuantizedTable
from rsutils.compress.folding import fold_batch_norm
from rsutils.models import ncf_network
from rsutils.models.base import top_k
from rsutils.models.fields import networks
from rsutils.serve.onnx_compress import compress_onnx
from rsutils.serve.onnx_export import export_onnx
from rsutils.serve.onnx_graph import constants, read_onnx
from rsutils.serve.onnx_scorer import OnnxScorer
from tests.random_weights import with_random_weights

N_USERS, N_ITEMS, N_FEATURES, N_FIELDS = 300, 200, 500, 5


def neumf():
    return with_random_weights(
        ncf_network.build(keras, ncf_network.NCFConfig(N_USERS, N_ITEMS, 16, 16, (32, 16)))
    )


def field_model(kind, **settings):
    config = networks.FieldConfig(
        kind, N_FEATURES, N_FIELDS, 16, hidden=(64, 32), batch_norm=True, **settings
    )
    return with_random_weights(networks.build(keras, config))


def rows(n=400, seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, N_FEATURES, (n, N_FIELDS), dtype=np.int32)


def pairs(n=400, seed=1):
    rng = np.random.default_rng(seed)
    users, items = (rng.integers(0, high, n, dtype=np.int32) for high in (N_USERS, N_ITEMS))
    return {"user": users, "item": items}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The fp32 files of a NeuMF and a folded DeepFM, by name."""
    folder = tmp_path_factory.mktemp("onnx")
    deepfm = fold_batch_norm(field_model("deepfm"))
    return {
        "neumf": export_onnx(neumf(), folder / "neumf.onnx"),
        "deepfm": export_onnx(deepfm, folder / "deepfm.onnx"),
    }


def operations(path):
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def error(found, expected):
    """Root mean squared, as a share of the standard deviation."""
    return np.sqrt(np.mean(np.square(found - expected))) / expected.std()


def test_fp32_gives_the_same_scores_and_lists(tmp_path):
    model = neumf()
    scorer = OnnxScorer(export_onnx(model, tmp_path / "deep" / "model.onnx"))
    assert scorer.inputs == {"user": ("batch",), "item": ("batch",)}
    users = np.repeat(np.arange(20, dtype=np.int32), N_ITEMS)
    inputs = {"user": users, "item": np.tile(np.arange(N_ITEMS, dtype=np.int32), 20)}
    expected, found = model(inputs).numpy(), scorer(inputs)
    assert found.shape == (len(users), 1)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5
    lists = [top_k(each.reshape(20, N_ITEMS), 10) for each in (found, expected)]
    assert np.array_equal(*lists)
    # Names, not the order of a dict or of the file, say what is what.
    assert np.array_equal(scorer(dict(reversed(inputs.items()))), found)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model.onnx"]


def test_inner_products_of_two_inputs_are_sums(tmp_path):
    x, y = (keras.Input((4,), name=name) for name in "xy")
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(9, 4)).astype(np.float32) for name in "xy"}
    for layer in (keras.layers.Dot(1), keras.layers.Dot(1, normalize=True)):
        model = keras.Model({"x": x, "y": y}, layer([x, y]))
        path = export_onnx(model, tmp_path / "dot.onnx")
        assert operations(path)["MatMul"] == 0
        np.testing.assert_allclose(OnnxScorer(path)(inputs), model(inputs), atol=1e-6)


@pytest.mark.parametrize("kind", networks.KINDS)
def test_every_network_over_fields_is_exported(tmp_path, kind):
    model = field_model(kind)
    scorer = OnnxScorer(export_onnx(model, tmp_path / "model.onnx"))
    for n in (1, 7, 100):
        expected = model(rows(n)).numpy()
        assert np.abs(scorer(rows(n)) - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def test_the_graph_holds_nothing_but_the_model(files):
    """No ids brought above 0, no sums with 0; weights and ends have the names of Keras."""
    assert operations(files["neumf"]) == Counter(Gather=4, Concat=2, MatMul=3, Add=3, Relu=2, Mul=1)
    assert operations(files["deepfm"])["MatMul"] == 3  # inner products are none of them
    graph = read_onnx(files["neumf"]).graph
    assert graph.output[0].name == "logit"
    assert {name for name in constants(graph) if "embeddings" in name} == {
        f"{branch}_{which}/embeddings" for branch in ("gmf", "mlp") for which in ("user", "item")
    }
    scorer = OnnxScorer(files["neumf"])
    last = {"user": [N_USERS - 1], "item": [N_ITEMS - 1]}
    assert np.array_equal(scorer({"user": [-1], "item": [-1]}), scorer(last))


def test_models_that_cannot_be_exported_are_refused(tmp_path):
    import tf_keras

    x = tf_keras.Input((3,))
    with pytest.raises(TypeError, match=r"is a tf_keras.*expected one of keras"):
        export_onnx(tf_keras.Model(x, tf_keras.layers.Dense(1)(x)), tmp_path / "m.onnx")
    with pytest.raises(TypeError, match=r"is a builtins\.dict"):
        export_onnx({}, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"'empty' does not say its inputs; build it"):
        export_onnx(keras.Sequential([keras.layers.Dense(1)], name="empty"), tmp_path / "m.onnx")
    x = keras.Input((3,))
    with pytest.raises(ValueError, match="has 2 outputs; expected 1"):
        export_onnx(keras.Model(x, [x + 1, x + 2]), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def lookup(folder, table, bits):
    """The rows that a compressed file with nothing but a lookup gives."""
    ids = keras.Input((2,), dtype="int32", name="ids")
    layer = keras.layers.Embedding(*table.shape, name="table")
    model = keras.Model(ids, layer(ids))
    layer.set_weights([table])
    fp32 = export_onnx(model, folder / "fp32.onnx")
    return OnnxScorer(compress_onnx(fp32, folder / "small.onnx", tables=bits)), fp32


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("dimensions", [2, 7, 16])
def test_rows_in_the_graph_are_those_of_a_quantized_table(tmp_path, bits, dimensions):
    rng = np.random.default_rng(dimensions)
    sizes = np.exp(3 * rng.normal(size=(90, 1)))
    table = (sizes * rng.normal(size=(90, dimensions))).astype(np.float32)
    table[7] = 0
    scorer, _ = lookup(tmp_path, table, bits)
    ids = np.arange(90, dtype=np.int32).reshape(45, 2)
    assert np.array_equal(scorer(ids), QuantizedTable.of(table, bits).rows(ids))


@pytest.mark.parametrize("bits", [8, 4])
def test_a_table_of_one_dimension_has_one_scale(tmp_path, bits):
    table = np.random.default_rng(0).normal(size=(400, 1)).astype(np.float32)
    scorer, fp32 = lookup(tmp_path, table, bits)
    ids = np.arange(400, dtype=np.int32).reshape(200, 2)
    column = QuantizedTable.of(table.T, 8).rows([0]).T
    assert np.array_equal(scorer(ids), column[ids])
    assert max(value.nbytes for value in constants(read_onnx(scorer.path).graph).values()) == 400
    assert np.abs(scorer(ids) - OnnxScorer(fp32)(ids)).max() <= np.abs(table).max() / 254 * 1.001


def test_fp16_tables_are_rounded_only(tmp_path):
    table = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    scorer, _ = lookup(tmp_path, table, 16)
    ids = np.arange(40, dtype=np.int32).reshape(20, 2)
    assert np.array_equal(scorer(ids), table.astype(np.float16).astype(np.float32)[ids])


def test_no_table_is_made_real_as_a_whole(files, tmp_path):
    """After ONNX Runtime's own optimization every table is still in its codes."""
    small = compress_onnx(files["deepfm"], tmp_path / "small.onnx", tables=4, dense=8)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(small), options)
    graph = onnx.load(tmp_path / "optimized.onnx").graph
    long = {name: v for name, v in constants(graph).items() if v.shape[:1] == (N_FEATURES,)}
    assert sorted(value.dtype.itemsize for value in long.values()) == [1, 1, 1]


@pytest.mark.parametrize("name", ["neumf", "deepfm"])
@pytest.mark.parametrize(
    ("settings", "bytes_a_table", "bytes_a_kernel", "largest_error"),
    [
        ({"tables": 16, "dense": 16}, 2, 2, 0.005),
        ({"tables": 8}, 1 + 1 / 16, 4, 0.03),
        ({"tables": 4}, 0.5 + 1 / 16, 4, 0.3),
        ({"dense": 8}, 4, 1, 0.1),
        ({"dense": 8, "calibration": "yes"}, 4, 1, 0.1),
        ({"tables": 8, "dense": 8}, 1 + 1 / 16, 1, 0.1),
        ({"tables": 4, "dense": 8}, 0.5 + 1 / 16, 1, 0.3),
        ({"tables": 4, "dense": 8, "calibration": "yes"}, 0.5 + 1 / 16, 1, 0.3),
    ],
)
def test_files_are_as_small_as_their_weights_and_close(
    files, tmp_path, name, settings, bytes_a_table, bytes_a_kernel, largest_error
):
    make = rows if name == "deepfm" else pairs
    if "calibration" in settings:
        batches = [make(64, seed) for seed in range(4)]
        batches = [{"features": each} for each in batches] if name == "deepfm" else batches
        settings = {**settings, "calibration": batches}
    small = compress_onnx(files[name], tmp_path / "small.onnx", **settings)
    table = N_FEATURES * 16 if name == "deepfm" else (N_USERS + N_ITEMS) * 32
    kernel = 80 * 64 + 64 * 32 if name == "deepfm" else 32 * 32 + 32 * 16
    saved = table * (4 - bytes_a_table) + kernel * (4 - bytes_a_kernel)
    # Scales of columns, and the names of a few dozen nodes.
    assert small.stat().st_size < files[name].stat().st_size - saved + 11_000
    expected, found = OnnxScorer(files[name])(make()), OnnxScorer(small)(make())
    assert 0 < error(found, expected) < largest_error
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]


def test_each_table_has_bits_of_its_own(tmp_path):
    """The file scores as the network does whose tables were rounded one by one."""
    model = neumf()
    fp32 = export_onnx(model, tmp_path / "fp32.onnx")
    chosen = {"gmf_user": 8, "gmf_item": 4, "mlp_user": 16, "mlp_item": None}
    small = compress_onnx(fp32, tmp_path / "small.onnx", tables=chosen)
    stored = [(len(v), v.shape[1], v.dtype.name) for v in long_arrays(small)]
    assert sorted(stored) == [
        (N_ITEMS, 8, "uint8"),
        (N_ITEMS, 16, "float32"),
        (N_USERS, 16, "float16"),
        (N_USERS, 16, "int8"),
    ]
    for name, bits in chosen.items():
        table = model.get_layer(name).embeddings
        if bits == 16:
            table.assign(table.numpy().astype(np.float16))
        elif bits:
            table.assign(QuantizedTable.of(table.numpy(), bits).rows(np.arange(table.shape[0])))
    np.testing.assert_allclose(OnnxScorer(small)(pairs()), model(pairs()).numpy(), atol=1e-5)
    both = compress_onnx(fp32, tmp_path / "both.onnx", tables={"gmf_user": 4}, dense=8)
    assert sorted(v.dtype.name for v in long_arrays(both)) == ["float32"] * 3 + ["uint8"]


def long_arrays(path):
    """The tables of a file, whatever they are called in it."""
    arrays = constants(read_onnx(path).graph).values()
    return [v for v in arrays if v.ndim == 2 and len(v) in (N_USERS, N_ITEMS) and v.shape[1] > 1]


def test_a_large_table_in_four_bits_is_below_fifteen_hundredths(tmp_path):
    table = np.random.default_rng(0).normal(size=(20_000, 16)).astype(np.float32)
    scorer, fp32 = lookup(tmp_path, table, 4)
    assert scorer.path.stat().st_size < 0.15 * fp32.stat().st_size


def test_calibrated_layers_run_in_int8_and_spare_the_rest(files, tmp_path):
    """The factors' products are read in float32, and no kernel is made real at a call."""
    batches = [{"features": rows(64, seed)} for seed in range(4)]
    small = compress_onnx(files["deepfm"], tmp_path / "s.onnx", dense=8, calibration=batches)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(small), options)
    found = operations(tmp_path / "optimized.onnx")
    assert found["QGemm"] == 2
    assert found["QuantizeLinear"] == 1
    assert found["DequantizeLinear"] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "tables and dense are both None"),
        ({"tables": {"gmf_user": None}}, "there is nothing to compress"),
        ({"tables": {}}, "there is nothing to compress"),
        ({"tables": {"gmf_user": 5}}, r"tables is \{'gmf_user': 5\}, dense None; expected one of"),
        (
            {"tables": {"gmf_user": 8, "user": 8}},
            r"no table 'user'; the graph has .*gmf_user",
        ),
        ({"tables": 5}, r"tables is 5, dense None; expected one of"),
        ({"dense": 4}, r"tables is None, dense 4; expected one of"),
        ({"tables": 8, "calibration": [{}]}, "dense is None; it is for dense=8"),
        ({"dense": 8, "calibration": []}, "no calibration data; give a list of batches"),
        ({"dense": 8, "calibration": {"user": [1]}}, "no calibration data; give a list"),
        (
            {"dense": 8, "calibration": [pairs(3), {"user": [1]}]},
            r"batch 1 has the inputs user; expected item, user",
        ),
        (
            {"dense": 8, "calibration": [{**pairs(3), "day": [1]}]},
            r"batch 0 has the inputs user, item, day; expected",
        ),
    ],
)
def test_what_cannot_be_compressed_is_refused(files, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        compress_onnx(files["neumf"], tmp_path / "small.onnx", **settings)
    assert not list(tmp_path.iterdir())


def test_a_graph_without_tables_or_hidden_layers_is_refused(tmp_path):
    x = keras.Input((3,), name="x")
    dense = export_onnx(keras.Model(x, keras.layers.Dense(2)(x)), tmp_path / "dense.onnx")
    with pytest.raises(ValueError, match="no rows of a float32 table; leave `tables` out"):
        compress_onnx(dense, tmp_path / "small.onnx", tables=8)
    fm = export_onnx(field_model("fm"), tmp_path / "fm.onnx")
    with pytest.raises(ValueError, match="no hidden layer with a float32 kernel"):
        compress_onnx(fm, tmp_path / "small.onnx", dense=8)
    small = compress_onnx(fm, tmp_path / "small.onnx", tables=8)
    with pytest.raises(ValueError, match="no rows of a float32 table"):
        compress_onnx(small, tmp_path / "again.onnx", tables=4)


def test_missing_foreign_and_damaged_files_are_refused(files, tmp_path):
    path = tmp_path / "model.onnx"
    for read in (OnnxScorer, read_onnx):
        with pytest.raises(FileNotFoundError, match=r"model\.onnx does not exist; write it"):
            read(path)
    content = files["neumf"].read_bytes()
    unknown = helper.make_model(
        helper.make_graph(
            [helper.make_node("Sing", ["x"], ["y"])],
            "song",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch"])],
        )
    )
    for wrong in (b"", content[:999], pickle.dumps([1]), unknown.SerializeToString()):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"model\.onnx is no ONNX model"):
            OnnxScorer(path)
        with pytest.raises(ValueError, match=r"model\.onnx is no ONNX model"):
            compress_onnx(path, tmp_path / "small.onnx", tables=8)


def test_inputs_that_do_not_fit_are_refused(files):
    pair, features = OnnxScorer(files["neumf"]), OnnxScorer(files["deepfm"])
    for scorer, inputs, message in (
        (pair, np.arange(3), "reads item, user; give a dict by name"),
        (pair, {"user": [1]}, "inputs are user; expected item, user"),
        (pair, {**pairs(3), "day": [1]}, "inputs are user, item, day; expected item, user"),
        (pair, {"user": [[1]], "item": [1]}, r"user has the shape \(1, 1\); expected \(batch,\)"),
        (features, rows(3)[:, :4], r"features has the shape \(3, 4\); expected \(batch, 5\)"),
        (features, {}, "inputs are none; expected features"),
    ):
        with pytest.raises(ValueError, match=message):
            scorer(inputs)
    with pytest.raises(ValueError, match="threads is 0; expected at least 1"):
        OnnxScorer(files["neumf"], threads=0)


def test_two_threads_and_two_calls_give_the_same_scores(files):
    one, two = OnnxScorer(files["deepfm"]), OnnxScorer(files["deepfm"], threads=2)
    assert np.array_equal(one(rows()), one(rows()))
    np.testing.assert_allclose(two(rows()), one(rows()), rtol=1e-5, atol=1e-6)


def test_what_scores_needs_no_tensorflow():
    code = "import sys; from rsutils.serve import OnnxScorer; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
