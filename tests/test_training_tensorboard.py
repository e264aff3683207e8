"""What the TensorBoard callback writes is what a real TensorBoard server shows."""

import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager

import keras
import numpy as np
import pytest

from rsutils.data.interactions import Interactions
from rsutils.models import NCF
from rsutils.training import ScoreEachEpoch

EPOCHS = 3
PATIENCE = 120
"""Seconds after which a server that says nothing counts as broken."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """The folder that a fit wrote, and the history that it returned."""
    folder = tmp_path_factory.mktemp("logs")
    rng = np.random.default_rng(0)
    log = Interactions.of(rng.integers(0, 30, 300), rng.integers(0, 20, 300))
    values = iter([0.1, 0.3, 0.2])
    losses = []
    model = NCF(2, hidden=(), epochs=EPOCHS, progress=False)
    model.fit(
        log,
        callbacks=[
            ScoreEachEpoch("ndcg@10", lambda: next(values)),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda _, logs: losses.append(logs["loss"])
            ),
            keras.callbacks.TensorBoard(folder / "gmf"),
        ],
    )
    return folder, losses


@contextmanager
def serving(folder):
    """The address of a TensorBoard on a free port of this machine, stopped afterwards."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    command += ["--host", "127.0.0.1", "--port", "0", "--load_fast", "false"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    guard = threading.Timer(PATIENCE, process.kill)
    guard.start()
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            pytest.fail("TensorBoard ended without an address: " + "".join(said))
        yield found.group(0)
    finally:
        guard.cancel()
        process.terminate()
        process.wait()
        process.stderr.close()


def get(address, **query):
    with urllib.request.urlopen(f"{address}?{urllib.parse.urlencode(query)}") as answer:
        return json.load(answer)


def test_the_server_shows_loss_and_ranking_score_of_every_epoch(logs):
    folder, losses = logs
    with serving(folder) as server:
        tags = get(f"{server}/data/plugin/scalars/tags")
        assert {"epoch_loss", "epoch_ndcg@10"} <= set(tags["gmf/train"])
        for tag, expected in (("epoch_loss", losses), ("epoch_ndcg@10", [0.1, 0.3, 0.2])):
            rows = get(f"{server}/data/plugin/scalars/scalars", run="gmf/train", tag=tag)
            assert [step for _, step, _ in rows] == list(range(EPOCHS))
            np.testing.assert_allclose([value for _, _, value in rows], expected, rtol=1e-6)
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(f"{server}/data/plugin/scalars/tags")
