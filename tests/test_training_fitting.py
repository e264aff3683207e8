"""A training run is the same whether or not it was interrupted, and says what it is doing."""

import keras
import numpy as np
import pytest

from rsutils.data.interactions import Interactions
from rsutils.models import NCF, SoftmaxCF
from rsutils.training import PairBatches, ScoreEachEpoch, keep_best
from rsutils.training.fitting import cosine

EPOCHS = 6


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    return Interactions.of(rng.integers(0, 30, 400), rng.integers(0, 20, 400))


MODELS = {
    "ncf": lambda **more: NCF(
        4, 4, (6,), dropout=0.3, l2=0.01, epochs=EPOCHS, batch_size=32, progress=False, **more
    ),
    "softmax_cf": lambda **more: SoftmaxCF(4, epochs=EPOCHS, batch_size=8, progress=False, **more),
}


class PullThePlug(keras.callbacks.Callback):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.at, self.now = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.at and batch >= 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", MODELS)
def test_an_interrupted_run_goes_on_to_the_same_weights(name, log, tmp_path):
    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "run")

    undisturbed = MODELS[name]().fit(log)
    with pytest.raises(KeyboardInterrupt):
        MODELS[name]().fit(log, callbacks=[backup(), PullThePlug(epoch=3)])
    assert (tmp_path / "run").exists()
    epochs = []
    count = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    resumed = MODELS[name]().fit(log, callbacks=[backup(), count])
    assert epochs == [3, 4, 5]
    for one, other in zip(
        undisturbed.model_.get_weights(), resumed.model_.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert not (tmp_path / "run").exists()


def test_epochs_differ_and_each_is_always_the_same(log):
    batches, again = (PairBatches(log, 50, 2, seed=3) for _ in range(2))
    first = batches.items.copy(), batches.order.copy()
    batches.start_epoch(1)
    assert not np.array_equal(first[0], batches.items)
    assert not np.array_equal(first[1], batches.order)
    again.start_epoch(5)
    again.start_epoch(1)
    np.testing.assert_array_equal(again.items, batches.items)
    np.testing.assert_array_equal(again.order, batches.order)


def test_early_stopping_on_a_ranking_score_restores_the_best_weights(log):
    model = NCF(4, hidden=(), learning_rate=0.05, epochs=20, progress=False)
    values, weights = iter([0.1, 0.5, 0.3, 0.2, 0.1]), []

    def score():
        assert np.isfinite(model.scores([0])).all()
        weights.append(model.model_.get_weights())
        return next(values)

    measured, stop = keep_best("ndcg@10", score, patience=3)
    model.fit(log, callbacks=[measured, stop])
    assert [value for _, value, _ in measured.history] == [0.1, 0.5, 0.3, 0.2, 0.1]
    for best, kept in zip(weights[1], model.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(best, kept)


def test_a_score_every_zero_epochs_is_refused():
    with pytest.raises(ValueError, match="every is 0"):
        ScoreEachEpoch("x", float, every=0)


def test_the_bar_counts_steps_and_shows_the_loss(log, capsys):
    NCF(4, hidden=(), epochs=2, batch_size=100, progress=True).fit(log)
    shown = capsys.readouterr().err
    assert "NCF: 100%" in shown
    assert "8/8" in shown
    assert "loss=" in shown


def test_the_bar_never_counts_more_steps_than_there_are(log, capsys):
    NCF(4, hidden=(), epochs=2, batch_size=40, progress=True).fit(log)
    shown = capsys.readouterr().err
    assert "20/20" in shown
    assert "NCF: 24" not in shown


def test_the_learning_rate_rises_then_falls():
    rate = cosine(0.5, steps=50, warmup=0.2)
    values = [float(rate(step)) for step in range(51)]
    assert np.argmax(values) == 10
    assert values[10] == pytest.approx(0.5)
    assert values[0] == values[50] == 0
    assert float(cosine(0.5, steps=50, warmup=0)(0)) == 0.5
