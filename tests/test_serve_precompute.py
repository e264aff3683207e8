"""What depends on one id alone is computed when a file is loaded; the answers stay the same."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.compress.compact_tables import CompactTable
from rsutils.compress.student_network import StudentConfig, build
from rsutils.data import Interactions
from rsutils.models.ncf import NCF
from rsutils.serve import OnnxScorer, compress_onnx, export_onnx, precompute_onnx
from rsutils.serve.onnx_graph import read_onnx


def operations(path):
    return [node.op_type for node in read_onnx(path).graph.node]


def operations_run(path):
    """What is left when ONNX Runtime has computed the constants."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path.with_suffix(".optimized.onnx"))
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return operations(path.with_suffix(".optimized.onnx"))


def student():
    return build(keras, StudentConfig(CompactTable(30, 5), CompactTable(40, 6), 8, 4, seed=3))


def pairs(n=50, users=30, items=40):
    rng = np.random.default_rng(0)
    return {
        "user": rng.integers(users, size=n, dtype=np.int32),
        "item": rng.integers(items, size=n, dtype=np.int32),
    }


@pytest.mark.parametrize("options", [None, {"tables": 4}, {"tables": 8, "dense": 16}])
def test_towers_become_tables_and_score_the_same(tmp_path, options):
    path = export_onnx(student(), tmp_path / "model.onnx")
    if options:
        path = compress_onnx(path, tmp_path / "small.onnx", **options)
    ahead = precompute_onnx(path, tmp_path / "ahead.onnx")
    np.testing.assert_allclose(
        OnnxScorer(ahead)(pairs()), OnnxScorer(path)(pairs()), rtol=1e-5, atol=1e-7
    )
    left = operations_run(ahead)
    assert left.count("Gather") == 2
    assert "Sigmoid" not in left
    assert len(left) <= 6
    assert ahead.stat().st_size < path.stat().st_size + 3000


def test_the_lookup_of_an_id_that_meets_no_other_stays_where_it_is(tmp_path):
    log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
    model = NCF(epochs=1, progress=False).fit(log)
    fp32 = export_onnx(model.model_, tmp_path / "fp32.onnx")
    with pytest.raises(ValueError, match=r"fp32\.onnx does nothing with an id .* use it as it is"):
        precompute_onnx(fp32, tmp_path / "ahead.onnx")
    assert not (tmp_path / "ahead.onnx").exists()
    int8 = compress_onnx(fp32, tmp_path / "int8.onnx", tables=8)
    ahead = precompute_onnx(int8, tmp_path / "ahead.onnx")
    assert sorted(operations_run(ahead)) == sorted(operations_run(fp32))
    both = [OnnxScorer(path)(pairs(20, 3, 4)) for path in (ahead, int8)]
    np.testing.assert_allclose(*both, rtol=1e-5, atol=1e-7)


def test_a_row_of_several_ids_is_looked_up_last_too(tmp_path):
    ids = keras.Input((3,), dtype="int32", name="features")
    rows = keras.layers.Embedding(20, 4, name="factors")(ids)
    both = keras.layers.Concatenate(axis=2)([rows, keras.layers.Activation("tanh")(rows)])
    flat = keras.layers.Flatten()(both)
    model = keras.Model(ids, keras.layers.Dense(1, name="logit")(flat))
    fp32 = export_onnx(model, tmp_path / "fp32.onnx")
    int4 = compress_onnx(fp32, tmp_path / "int4.onnx", tables=4)
    x = np.random.default_rng(1).integers(20, size=(9, 3))
    for path in (fp32, int4):
        ahead = precompute_onnx(path, tmp_path / "ahead.onnx")
        assert not {"Tanh", "Concat", "Cast"} & set(operations_run(ahead))
        np.testing.assert_allclose(OnnxScorer(ahead)(x), OnnxScorer(path)(x), rtol=1e-5, atol=1e-6)


@given(
    st.lists(st.sampled_from(["relu", "tanh", "scale", "dense", "join", "norm"]), max_size=5),
    st.integers(0, 100),
)
@settings(max_examples=12, deadline=None)
def test_whatever_a_tower_does_the_scores_stay(tmp_path_factory, layers, seed):
    """What works over the whole batch or over a row as a whole must not be taken for more."""
    ids = keras.Input((), dtype="int32", name="item")
    row = keras.layers.Embedding(25, 6, name="factors")(ids)
    for place, kind in enumerate(["scale", *layers]):
        row = {
            "relu": keras.layers.ReLU(),
            "tanh": keras.layers.Activation("tanh"),
            "scale": keras.layers.Rescaling(1.5),
            "dense": keras.layers.Dense(6, name=f"dense_{place}"),
            "join": lambda x: keras.layers.Concatenate()([x, keras.layers.ReLU()(x)]),
            "norm": keras.layers.LayerNormalization(),
        }[kind](row)
    model = keras.Model(ids, row)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=weights.shape) for weights in model.get_weights()])
    folder = tmp_path_factory.mktemp("tower")
    path = export_onnx(model, folder / "model.onnx")
    ahead = precompute_onnx(path, folder / "ahead.onnx")
    x = rng.integers(25, size=7)
    np.testing.assert_allclose(OnnxScorer(ahead)(x), OnnxScorer(path)(x), rtol=1e-4, atol=1e-5)


def test_ids_of_nowhere_are_refused_as_before(tmp_path):
    path = export_onnx(student(), tmp_path / "model.onnx")
    ahead = OnnxScorer(precompute_onnx(path, tmp_path / "ahead.onnx"))
    with pytest.raises(Exception, match="out of data bounds"):
        ahead({"user": [0], "item": [40]})


def test_files_that_are_not_there_or_no_models_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="export_onnx first"):
        precompute_onnx(tmp_path / "none.onnx", tmp_path / "ahead.onnx")
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(ValueError, match="is no ONNX model"):
        precompute_onnx(tmp_path / "text.onnx", tmp_path / "ahead.onnx")
