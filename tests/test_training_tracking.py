import importlib.util
import os
import sys

import keras
import numpy as np
import pytest

from rsutils.training.tracking import offline_run

INSTALLED = importlib.util.find_spec("wandb") is not None


@pytest.mark.skipif(not INSTALLED and "CI" not in os.environ, reason="wandb is optional")
def test_a_run_is_kept_in_the_folder_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with offline_run(tmp_path, {"learning_rate": 0.0123}) as callback:
        model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[callback])
    (kept,) = tmp_path.rglob("*.wandb")
    content = kept.read_bytes()
    assert b"learning_rate" in content
    assert b"0.0123" in content
    assert content.count(b"epoch") >= 2


@pytest.mark.skipif(not INSTALLED and "CI" not in os.environ, reason="wandb is optional")
def test_the_run_is_closed_when_training_fails(tmp_path):
    import wandb

    with pytest.raises(RuntimeError, match="in training"), offline_run(tmp_path, {}):
        raise RuntimeError("in training")
    assert wandb.run is None


@pytest.mark.skipif(not INSTALLED and "CI" not in os.environ, reason="wandb is optional")
def test_a_run_under_way_is_not_taken_over(tmp_path):
    import wandb

    with (
        offline_run(tmp_path, {}),
        pytest.raises(RuntimeError, match=f"{wandb.run.id} is under way"),
        offline_run(tmp_path, {}),
    ):
        pass


def test_without_wandb_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match="tracking"), offline_run(tmp_path, {}):
        pass
