import json

import pytest

from rsutils.measure import benchmark_table, results


def write(folder, *rows):
    lines = [json.dumps({"benchmark": "toy", "seed": 0, "published": None} | row) for row in rows]
    (folder / "toy.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    return tmp_path


def test_a_row_a_system_in_order_with_the_mean_over_seeds(folder):
    paper = {"hr@10": 0.75, "source": "somebody"}
    write(
        folder,
        {"system": "z", "hr@10": 0.5, "seconds": 1.0, "published": paper},
        {"system": "a", "hr@10": 0.25, "seconds": 2.0},
        {"system": "a", "hr@10": 0.75, "seconds": 4.0, "seed": 1},
    )
    table = benchmark_table("toy")
    assert list(table.index) == ["z", "a"]
    assert table["hr@10"].tolist() == [0.5, 0.5]
    assert table["seconds"].tolist() == [1.0, 3.0]
    assert table["seeds"].tolist() == [1, 2]
    assert table["published"].tolist() == [paper, None]


def test_without_any_published_figure(folder):
    write(folder, {"system": "a", "hr@10": 0.25})
    assert benchmark_table("toy")["published"].tolist() == [None]


def test_the_processor_stays_where_the_rows_name_it(folder):
    write(folder, {"system": "a", "speedup": 2.0, "processor": "Fast 9000"})
    assert benchmark_table("toy").loc["a", "processor"] == "Fast 9000"


def test_an_unknown_benchmark_says_how_to_make_it(folder):
    write(folder, {"system": "a", "hr@10": 0.25})
    with pytest.raises(FileNotFoundError, match=r"there are: toy.*python -m benchmarks\.other"):
        benchmark_table("other")
