"""The ledger keeps whole rows of honest figures, or says why not."""

import json
import multiprocessing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsutils import settings
from rsutils.evaluate import Report
from rsutils.measure import ledger
from rsutils.measure.ledger import KEY, Ledger

ROW = {"lesson": "02", "system": "ease", "dataset": "demo", "profile": "quick"}


@pytest.fixture
def book(tmp_path):
    return Ledger(tmp_path / "deep" / "ledger.jsonl")


def test_what_is_recorded_is_read_back(book):
    figures = {"hr@10": np.float32(0.5), "hr@10_interval": (0.25, 0.75), "bytes": np.int64(7)}
    row = book.record(**ROW, **figures, works=True, note="größer")
    assert book.rows() == [row]
    assert row | ROW == row
    assert (row["hr@10"], row["hr@10_interval"], row["bytes"]) == (0.5, [0.25, 0.75], 7)
    assert (row["works"], row["note"]) == (True, "größer")
    assert row["versions"]["numpy"] == np.__version__


def test_a_report_fits_in(book):
    report = Report("EASE", "full", np.arange(3), {"ndcg@10": np.array([0.0, 1.0, 1.0])})
    row = book.record(**ROW, **report.figures(), items=20)
    assert row["ndcg@10"] == pytest.approx(2 / 3)
    assert row["ndcg@10_interval"] == list(report.interval("ndcg@10"))
    assert row["users"] == 3


@given(st.dictionaries(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False)))
def test_any_finite_figure_survives(tmp_path_factory, figures):
    figures = {f"x {name}.": value for name, value in figures.items()}
    book = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.jsonl")
    book.record(**ROW, **figures)
    assert book.rows()[0] | figures == book.rows()[0]


def test_the_table_shows_the_last_of_each_system(book):
    assert book.table().columns.tolist() == list(KEY)
    assert book.as_text() == "No rows in ledger.jsonl yet."
    book.record(**ROW, extra=1, bytes=10)
    book.record(**ROW | {"system": "als"}, **{"hr@10": 0.5, "hr@10_interval": [0.4, 0.6]})
    book.record(**ROW, bytes=12)
    table = book.table()
    assert table.columns.tolist() == [*KEY, "hr@10", "bytes"]
    assert table.system.tolist() == ["als", "ease"]
    assert table.bytes.tolist()[1] == 12
    assert len(book.rows()) == 3
    text = book.as_text().splitlines()
    assert text[0].split() == [*KEY, "hr@10", "bytes"]
    assert text[2].split() == ["02", "ease", "demo", "quick", "12"]


def test_a_lesson_can_be_forgotten(book):
    book.forget("02")
    assert not book.path.exists()
    book.record(**ROW)
    other = book.record(**ROW | {"lesson": "01"}, note="größer")
    book.forget("02")
    assert book.rows() == [other]
    assert [file.name for file in book.path.parent.iterdir()] == ["ledger.jsonl"]


@pytest.mark.parametrize(
    ("figures", "error", "message"),
    [
        ({"auc": float("nan")}, ValueError, "auc is nan; expected a finite"),
        ({"auc": np.float32("inf")}, ValueError, "auc is inf"),
        ({"x": [1.0, float("-inf")]}, ValueError, "x is -inf"),
        ({"x": None}, TypeError, "x is None, a NoneType"),
        ({"x": {"y": 1}}, TypeError, "a dict; expected a number"),
        ({"x": ["y"]}, TypeError, "flat list of numbers"),
        ({"x": np.ones((2, 2))}, TypeError, "flat list of numbers"),
        ({"x": object}, TypeError, "a type"),
        ({"auc_interval": [0.1, 0.2]}, ValueError, "no 'auc' beside it"),
        ({"auc": 0.5, "auc_interval": [0.6, 0.4]}, ValueError, r"expected \[low, high\]"),
        ({"auc": 0.5, "auc_interval": 0.6}, ValueError, r"expected \[low, high\]"),
        ({"auc": 0.5, "auc_interval": [0.6]}, ValueError, r"expected \[low, high\]"),
    ],
)
def test_what_is_no_figure_is_refused_and_nothing_is_written(book, figures, error, message):
    with pytest.raises(error, match=message):
        book.record(**ROW, **figures)
    assert not book.path.exists()


@pytest.mark.parametrize("key", KEY)
@pytest.mark.parametrize("value", ["", 2])
def test_a_key_is_a_name(book, key, value):
    with pytest.raises(ValueError, match=f"{key} is {value!r}; expected a name"):
        book.record(**ROW | {key: value})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{half", "Expecting"),
        (b"", "Expecting"),
        (b"\xff", "can't decode"),
        (b"[1]", "lacks lesson"),
        (b'{"lesson": "02"}', "lacks system"),
    ],
)
def test_a_damaged_line_is_named(book, line, why):
    book.record(**ROW)
    with book.path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(ValueError, match=rf"ledger.jsonl, line 2 is no ledger row: .*{why}"):
        book.table()


def test_nothing_is_added_to_half_a_line(book):
    book.record(**ROW)
    book.path.write_bytes(book.path.read_bytes() + b'{"lesson": "0')
    before = book.path.read_bytes()
    with pytest.raises(ValueError, match="line 2 is no ledger row: it has no end"):
        book.record(**ROW)
    assert book.path.read_bytes() == before


def test_a_line_that_fits_only_half_is_taken_back(book, monkeypatch):
    book.record(**ROW)
    before = book.path.read_bytes()
    monkeypatch.setattr(ledger, "_line", lambda row: HalfWritten(b"x" * 100))
    with pytest.raises(OSError, match="the disk may be full"):
        book.record(**ROW)
    assert book.path.read_bytes() == before


class HalfWritten(bytes):
    """Bytes that claim to be twice as many as the file will take."""

    def __len__(self):
        return 200


def fill(path, worker):
    for number in range(25):
        Ledger(path).record(**ROW | {"system": f"{worker}"}, number=number, text="x" * 5000)


def test_processes_that_record_at_once_keep_lines_whole(book):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=fill, args=(book.path, worker)) for worker in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(book.rows()) == 50
    for worker in ("0", "1"):
        numbers = [row["number"] for row in book.rows() if row["system"] == worker]
        assert numbers == list(range(25))


def test_the_course_ledger_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("RSUTILS_LEDGER", str(tmp_path / "mine.jsonl"))
    ledger.record(**ROW, bytes=3)
    assert json.loads((tmp_path / "mine.jsonl").read_text())["bytes"] == 3
    assert len(ledger.rows()) == len(ledger.table()) == 1
    assert "ease" in ledger.as_text()
    ledger.forget("02")
    assert ledger.rows() == []
    monkeypatch.delenv("RSUTILS_LEDGER")
    assert ledger.path() == settings.BUILD / "ledger.jsonl"
