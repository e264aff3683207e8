"""LiteRT files score as the Keras model does, and int8 is a quarter of the size."""

import numpy as np
import pytest

from rsutils.data import Interactions
from rsutils.models import SoftmaxCF
from rsutils.models.base import top_k
from rsutils.serve.litert import LiteRTScorer, export_litert


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


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.tflite does not exist; write it"):
        LiteRTScorer(tmp_path / "none.tflite")
