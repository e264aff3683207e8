"""A SavedModel has the inputs and the output of the Keras model, and scores as it does."""

import keras
import numpy as np
import pytest

from rsutils.models import ncf_network
from rsutils.serve.saved_model import SIGNATURE, SavedModelScorer, export_saved_model
from tests.random_weights import with_random_weights


@pytest.fixture(scope="module")
def model():
    config = ncf_network.NCFConfig(n_users=5, n_items=20, gmf_dimensions=8, hidden=(8,))
    return with_random_weights(ncf_network.build(keras, config))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return export_saved_model(model, tmp_path_factory.mktemp("saved") / "ncf" / "1")


def test_a_saved_model_takes_batches_of_any_size_by_name(saved, model):
    scorer = SavedModelScorer(saved)
    assert scorer.inputs == {"user": ("batch",), "item": ("batch",)}
    for n in (7, 1, 0, 20):
        inputs = {"user": np.arange(n) % 5, "item": np.arange(n)}
        found = scorer(inputs)
        assert (found.shape, found.dtype) == ((n, 1), np.float32)
        expected = model({k: np.int32(v) for k, v in inputs.items()})
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert np.array_equal(scorer(dict(reversed(inputs.items()))), found)
    with pytest.raises(ValueError, match="The inputs are user; expected"):
        scorer({"user": [1]})
    with pytest.raises(ValueError, match=r"has the shape \(1, 1\); expected \(batch,\)"):
        scorer({"user": [[1]], "item": [1]})
    with pytest.raises(ValueError, match="give a dict by name"):
        scorer([1])


def test_a_saved_model_is_what_tensorflow_serving_reads(saved):
    """A signature with named tensors, in a folder that is a version's number."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    content = SavedModel.FromString((saved / "saved_model.pb").read_bytes())
    (graph,) = content.meta_graphs
    assert "serve" in graph.meta_info_def.tags
    signature = graph.signature_def[SIGNATURE]
    assert {name: each.dtype for name, each in signature.inputs.items()} == {"user": 3, "item": 3}
    assert [*signature.outputs] == ["logit"]
    assert signature.method_name == "tensorflow/serving/predict"
    assert str(saved.parent).encode() not in (saved / "saved_model.pb").read_bytes()
    assert [each.name for each in saved.parent.iterdir()] == ["1"]


def test_what_is_no_saved_model_is_refused(saved, tmp_path):
    with pytest.raises(FileExistsError, match="exists; expected a new folder"):
        export_saved_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), saved)
    with pytest.raises(TypeError, match=r"is a builtins\.dict"):
        export_saved_model({}, tmp_path / "1")
    with pytest.raises(FileNotFoundError, match=r"holds no saved_model\.pb"):
        SavedModelScorer(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(ValueError, match="is no SavedModel with the signature serving_default"):
        SavedModelScorer(tmp_path)
