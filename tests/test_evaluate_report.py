"""Bootstrap intervals and the report that carries them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.evaluate import Report, bootstrap_means, interval


def report(model="ease", protocol="full", users=None, **values):
    values = values or {"hr@10": np.random.default_rng(0).random(200)}
    size = len(next(iter(values.values())))
    return Report(model, protocol, np.arange(size) if users is None else users, values)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80))
@settings(max_examples=30, deadline=None)
def test_the_interval_lies_within_the_values_and_around_their_mean(values):
    low, high = interval(values)
    slack = 1e-12
    assert min(values) - slack <= low <= high <= max(values) + slack
    # Not 95%: of few, very skewed values the central 95% of means can leave the mean out.
    low, high = interval(values, level=0.9999)
    assert low - slack <= np.mean(values) <= high + slack


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    samples = rng.random((400, 100)) < 0.3
    covered = [
        low <= 0.3 <= high
        for low, high in (
            interval(s, level=0.9, resamples=500, seed=i) for i, s in enumerate(samples)
        )
    ]
    # 400 trials at 90% miss this band once in thousands.
    assert 0.84 < np.mean(covered) < 0.95


def test_the_spread_is_the_standard_error():
    values = np.random.default_rng(0).normal(size=(1000, 1))
    spread = bootstrap_means(values, resamples=4000).std()
    assert spread == pytest.approx(values.std() / np.sqrt(1000), rel=0.05)


def test_blocks_keep_columns_paired(monkeypatch):
    monkeypatch.setattr("rsutils.evaluate.intervals.BLOCK", 30)
    values = np.random.default_rng(0).random((10, 1))
    means = bootstrap_means(np.hstack([values, values + 1]), resamples=10)
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 1.0)
    assert len(np.unique(means[:, 0])) == 10


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(50)
    assert interval(values, seed=3) == interval(values, seed=3)
    assert interval(values, seed=3) != interval(values, seed=4)


def test_a_paired_comparison_sees_what_two_intervals_hide():
    rng = np.random.default_rng(0)
    worse = rng.random(300)
    better = worse + 0.02 + 0.05 * rng.standard_normal(300)
    a, b = report("a", **{"hr@10": better}), report("b", **{"hr@10": worse})
    assert a.interval("hr@10")[0] < b.interval("hr@10")[1]
    row = a.compare(b).loc["hr@10"]
    assert 0 < row.low < row.difference < row.high
    assert row.difference == pytest.approx(a["hr@10"] - b["hr@10"])
    reverse = b.compare(a).loc["hr@10"]
    assert reverse.low == pytest.approx(-row.high)


def test_table_figures_and_text_agree():
    one = report(**{"hr@10": np.array([0.0, 1.0, 1.0, 1.0]), "auc": np.ones(4)})
    table = one.table()
    assert one.mean() == {"hr@10": 0.75, "auc": 1.0}
    assert table.loc["hr@10", "mean"] == 0.75
    assert (table.loc["hr@10", "low"], table.loc["hr@10", "high"]) == one.interval("hr@10")
    figures = one.figures()
    assert list(figures) == ["hr@10", "hr@10_interval", "auc", "auc_interval", "users"]
    assert figures["hr@10_interval"] == list(one.interval("hr@10"))
    assert "hr@10 0.7500" in repr(one)
    assert "0.7500" in one._repr_html_()


def test_html_escapes_the_name():
    assert "<b>" not in report("<b>model</b>")._repr_html_()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: interval([]), "no values"),
        (lambda: interval([np.nan]), "NaN or infinite"),
        (lambda: interval([1.0], level=95), "level is 95"),
        (lambda: interval([1.0], resamples=0), "resamples is 0"),
        (lambda: report().compare(report(users=np.arange(1, 201))), "not the same ones"),
        (lambda: report().compare(report(protocol="sampled")), "expected one protocol"),
        (lambda: report().compare(report(**{"auc": np.ones(200)})), "share no metric"),
    ],
)
def test_bad_input_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_a_metric_that_was_not_evaluated_is_named():
    with pytest.raises(KeyError, match=r"'ndcg@5' was not evaluated; there are hr@10"):
        report()["ndcg@5"]


def test_a_figure_is_the_same_number_wherever_it_is_read():
    rng = np.random.default_rng(0)
    one = report(**{"ndcg@10": rng.random(2_500), "mrr@10": rng.random(2_500)})
    assert one.figures()["ndcg@10"] == one["ndcg@10"] == one.table()["mean"]["ndcg@10"]
    assert one.mean()["mrr@10"] == one["mrr@10"]
