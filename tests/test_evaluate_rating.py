"""Rating and click metrics against scikit-learn, catalogue metrics by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from rsutils.evaluate import (
    auc,
    calibration,
    calibration_error,
    coverage,
    gini,
    log_loss,
    mae,
    novelty,
    rmse,
)

clicks = st.lists(st.tuples(st.booleans(), st.floats(0, 1).map(lambda p: round(p, 1))), min_size=2)


@given(clicks)
@settings(max_examples=60, deadline=None)
def test_agree_with_scikit_learn(rows):
    y, p = np.array(rows, float).T
    assert rmse(y, p) == pytest.approx(sk.root_mean_squared_error(y, p))
    assert mae(y, p) == pytest.approx(sk.mean_absolute_error(y, p))
    assert log_loss(y, p) == pytest.approx(sk.log_loss(y, p, labels=[0, 1]))
    if 0 < y.sum() < len(y):
        assert auc(y, p) == pytest.approx(sk.roc_auc_score(y, p))


def test_log_loss_of_single_precision_certainty_is_finite():
    y, p = np.array([1.0, 0.0], np.float32), np.array([0.0, 0.0], np.float32)
    assert log_loss(y, p) == pytest.approx(sk.log_loss(y, p, labels=[0, 1]), rel=1e-5)
    assert log_loss([1, 0], [0, 1]) == pytest.approx(-np.log(np.finfo(float).eps))


def test_calibration_of_honest_and_of_shifted_probabilities():
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    y = rng.random(200_000) < p
    table = calibration(y, p, bins=5)
    assert table["count"].sum() == 200_000
    np.testing.assert_allclose(table.predicted, table.observed, atol=0.01)
    assert calibration_error(y, p) < 0.01
    assert calibration_error(y, np.clip(p + 0.2, 0, 1)) > 0.15


def test_calibration_bins_hold_their_edges():
    table = calibration([0, 1, 1], [0.0, 0.5, 1.0], bins=2)
    assert table["count"].to_dict() == {0: 1, 1: 2}
    assert calibration_error([0, 1, 1], [0.0, 0.5, 1.0], bins=2) == pytest.approx(2 / 3 * 0.25)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: rmse([1, 2], [[1], [2]]), r"shape \(2,\) and prediction \(2, 1\)"),
        (lambda: rmse([[1]], [[1]]), "1-d arrays"),
        (lambda: mae([], []), "empty"),
        (lambda: rmse([1.0, 2.0], [1.0, np.nan]), "prediction is nan in row 1"),
        (lambda: rmse([np.inf], [1.0]), "truth is inf in row 0"),
        (lambda: log_loss([1, -1], [0.5, 0.5]), "Label -1 in row 1"),
        (lambda: log_loss([1, 0], [0.5, 1.5]), r"Probability 1.5 in row 1.*sigmoid"),
        (lambda: auc([2, 0], [0.5, 0.5]), "Label 2 in row 0"),
        (lambda: auc([1, 1], [0.5, 0.5]), "All 2 labels are 1"),
        (lambda: calibration([1], [0.5], bins=0), "bins is 0"),
        (lambda: coverage([[-1, -1]], 3), "recommend nothing"),
        (lambda: coverage([[0, 3]], 3), "run from 0 to 3"),
        (lambda: gini([[-2]], 3), "run from -2"),
    ],
)
def test_bad_input_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_catalogue_metrics_by_hand():
    lists = np.array([[0, 1], [0, -1]])
    assert coverage(lists, n_items=4) == 0.5
    # Gini is half the mean absolute difference of any two items' exposure, over the mean exposure.
    gaps = np.abs(np.subtract.outer([2, 1, 0, 0], [2, 1, 0, 0]))
    assert gini(lists, n_items=4) == pytest.approx(gaps.mean() / (2 * 0.75))
    # Item 0 was met 6 times of 8, item 1 never: counted as once.
    bits = (2 * np.log2(8 / 6) + np.log2(8)) / 3
    assert novelty(lists, popularity=[6, 0, 1, 1]) == pytest.approx(bits)
