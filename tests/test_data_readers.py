import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsutils.data.readers.libfm import read_frappe
from rsutils.data.readers.lightgcn import read_gowalla
from rsutils.data.readers.movielens import read_ml_1m, read_ml_100k
from rsutils.data.readers.ncf import read_ncf_ml_1m
from rsutils.data.readers.sequences import read_s3rec_beauty, read_sasrec_ml_1m
from rsutils.data.readers.text import read_lists, read_table
from tests.data_files import GOWALLA, ML_100K, write

ML_1M = {
    "ratings.dat": b"1::10::5::978300760\n2::30::3::978302109\n2::10::4::978301968\n",
    "movies.dat": (
        "10::Star Wars: Episode IV - A New Hope (1977)::Action|Sci-Fi\n"
        "20::Never Rated (1990)::Drama\n"
        "30::Misérables, Les (1995)::Drama\n"
    ).encode("latin-1"),
    "users.dat": b"1::F::1::10::48067\n2::M::56::16::70072\n",
}
ROW = "\t".join(str(i) for i in range(5, 104))
NCF = {
    "ml-1m.train.rating": b"0\t0\t5\t9\n1\t1\t3\t8\n",
    "ml-1m.test.rating": b"0\t2\t4\t11\n1\t3\t2\t12\n",
    "ml-1m.test.negative": f"(0,2)\t{ROW}\n(1,3)\t{ROW}\n".encode(),
}
SASREC = {"ml-1m.txt": b"1 1\n1 2\n1 3\n2 3\n2 1\n2 4\n"}
S3REC = {
    "Beauty.txt": b"1 1 2 3\n2 4 2 1\n",
    "Beauty_item2attributes.json": b'{"1": [1, 3, 1], "4": [2]}',
}
LINE = b"-1 0:1 2:1 4:1 6:1 8:1 10:1 12:1 14:1 16:1 18:1\n"
FRAPPE = {
    "frappe.train.libfm": LINE + b"1 1:1 2:1 4:1 6:1 8:1 10:1 12:1 14:1 16:1 19:1\n",
    "frappe.validation.libfm": LINE,
    "frappe.test.libfm": LINE,
}


def test_ml_100k(tmp_path):
    data = read_ml_100k(write(tmp_path, ML_100K))
    log = data.interactions
    assert log.user.tolist() == [0, 1, 1]
    assert log.item.tolist() == [1, 0, 2]
    assert log.rating.tolist() == [5, 3, 1]
    assert log.timestamp.tolist() == [881250949, 891717742, 878887116]
    assert data.items["title"].tolist() == ["Toy Story", "Misérables, Les", "unknown"]
    assert data.items["year"].tolist() == [1995, 1995, pd.NA]
    assert data.items["genres"].tolist() == [("Comedy",), ("Comedy",), ("unknown", "Comedy")]
    assert data.users.columns.tolist() == ["age", "gender", "occupation", "zip_code"]
    assert data.users.loc[1].tolist() == [53, "F", "other", "94043"]


def test_ml_1m_numbers_the_rated_movies(tmp_path):
    data = read_ml_1m(write(tmp_path, ML_1M))
    assert data.interactions.user.tolist() == [0, 1, 1]
    assert data.interactions.item.tolist() == [0, 1, 0]
    assert data.items["movie_id"].tolist() == [10, 30]
    assert data.items["title"].tolist() == ["Star Wars: Episode IV - A New Hope", "Misérables, Les"]
    assert data.items["year"].tolist() == [1977, 1995]
    assert data.items["genres"].tolist() == [("Action", "Sci-Fi"), ("Drama",)]
    assert data.users["occupation"].tolist() == ["K-12 student", "self-employed"]


def test_ncf(tmp_path):
    data = read_ncf_ml_1m(write(tmp_path, NCF))
    assert (data.interactions.n_users, data.interactions.n_items) == (2, 104)
    assert data.interactions.item.tolist() == [0, 1, 2, 3]
    assert data.published.train.item.tolist() == [0, 1]
    assert data.published.test.timestamp.tolist() == [11, 12]
    assert data.published.validation is None
    assert data.published.negatives.tolist() == [list(range(5, 104))] * 2


def test_sasrec_is_numbered_from_0_and_timed_by_place(tmp_path):
    data = read_sasrec_ml_1m(write(tmp_path, SASREC))
    assert data.interactions.user.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.interactions.item.tolist() == [0, 1, 2, 2, 0, 3]
    assert data.interactions.timestamp.tolist() == [0, 1, 2, 0, 1, 2]
    split = data.published
    assert [part.item.tolist() for part in (split.train, split.validation, split.test)] == [
        [0, 2],
        [1, 0],
        [2, 3],
    ]


def test_s3rec(tmp_path):
    data = read_s3rec_beauty(write(tmp_path, S3REC))
    assert data.interactions.item.tolist() == [0, 1, 2, 3, 1, 0]
    assert data.published.test.item.tolist() == [2, 0]
    assert data.items["attributes"].tolist() == [(0, 2, 0), (), (), (1,)]
    assert data.extras == {"n_attributes": 3}


def test_gowalla(tmp_path):
    data = read_gowalla(write(tmp_path, GOWALLA))
    assert data.interactions.user.tolist() == [0, 0, 1, 0, 1]
    assert data.interactions.item.tolist() == [0, 1, 2, 2, 0]
    assert data.interactions.timestamp.tolist() == [0, 1, 2, 3, 4]
    assert len(data.published.train) == 3
    assert data.published.test.item.tolist() == [2, 0]


def test_frappe(tmp_path):
    data = read_frappe(write(tmp_path, FRAPPE))
    assert data.train.features.tolist() == [
        [0, 2, 4, 6, 8, 10, 12, 14, 16, 18],
        [1, 2, 4, 6, 8, 10, 12, 14, 16, 19],
    ]
    assert data.train.label.tolist() == [0, 1]
    assert data.n_features == 20
    assert data.fields[:2] == ("user", "item")


@pytest.mark.parametrize(
    ("reader", "files", "name", "old", "new", "line"),
    [
        (read_ml_100k, ML_100K, "u.data", b"\t3\t891", b"\tx\t891", 2),
        (read_ml_100k, ML_100K, "u.data", b"2\t1\t3\t", b"2\t1\t6\t", 2),
        (read_ml_100k, ML_100K, "u.data", b"2\t1\t3\t", b"2\t3\t", 2),
        (read_ml_100k, ML_100K, "u.data", b"2\t3\t1\t", b"\n2\t3\t1\t", 3),
        (read_ml_100k, ML_100K, "u.data", b"2\t3\t1\t", b"2\t4\t1\t", 3),
        (read_ml_100k, ML_100K, "u.data", b"1\t2\t5\t", b"1\t2\t5\t7\t", 1),
        (read_ml_100k, ML_100K, "u.item", b"3|unknown", b"4|unknown", 3),
        (read_ml_100k, ML_100K, "u.item", b"http://x|0", b"http://x|", 2),
        (read_ml_100k, ML_100K, "u.user", b"|other|", b"|", 2),
        (read_ml_100k, ML_100K, "u.user", b"53", b"fifty", 2),
        (read_ml_1m, ML_1M, "ratings.dat", b"2::30::3", b"2:30::3", 2),
        (read_ml_1m, ML_1M, "ratings.dat", b"2::30::3", b"3::30::3", 2),
        (read_ml_1m, ML_1M, "movies.dat", b"20::Never", b"20:Never", 2),
        (read_ml_1m, ML_1M, "users.dat", b"::16::", b"::21::", 2),
        (read_ncf_ml_1m, NCF, "ml-1m.train.rating", b"1\t1\t3", b"1\t-1\t3", 2),
        (read_ncf_ml_1m, NCF, "ml-1m.train.rating", b"1\t1\t3", b"1\t4294967297\t3", 2),
        (read_ncf_ml_1m, NCF, "ml-1m.test.negative", b"(1,3)", b"(1,4)", 2),
        (read_ncf_ml_1m, NCF, "ml-1m.test.negative", b"\t103\n(1", b"\n(1", 1),
        (read_sasrec_ml_1m, SASREC, "ml-1m.txt", b"2 3", b"2 3 4", 4),
        (read_sasrec_ml_1m, SASREC, "ml-1m.txt", b"2 3", b"2 0", 4),
        (read_s3rec_beauty, S3REC, "Beauty.txt", b"4 2", b"4 two", 2),
        (read_s3rec_beauty, S3REC, "Beauty.txt", b"4 2", b"4 0", 2),
        (read_gowalla, GOWALLA, "train.txt", b"1 2", b"1 -2", 2),
        (read_gowalla, GOWALLA, "test.txt", b"1 0", b"1  0", 2),
        (read_frappe, FRAPPE, "frappe.train.libfm", b"1 1:1", b"1 1:2", 2),
        (read_frappe, FRAPPE, "frappe.train.libfm", b"1 1:1", b"2 1:1", 2),
        (read_frappe, FRAPPE, "frappe.test.libfm", b" 18:1", b"", 1),
        (read_frappe, FRAPPE, "frappe.test.libfm", b" 18:1", b" -18:1", 1),
    ],
)
def test_a_wrong_line_is_named(reader, files, name, old, new, line, tmp_path):
    assert files[name].count(old) >= 1
    folder = write(tmp_path, files | {name: files[name].replace(old, new, 1)})
    with pytest.raises(ValueError, match=rf"{name}, line {line}\b.*expected"):
        reader(folder)


def test_a_long_line_is_not_hidden_by_a_short_one(tmp_path):
    users = b"1|24|M|technician|85711|x\n2|53|F|other\n"
    with pytest.raises(ValueError, match=r"u\.user, line 1"):
        read_ml_100k(write(tmp_path, ML_100K | {"u.user": users}))


def test_a_shifted_frappe_line_is_the_second_not_the_first(tmp_path):
    folder = write(tmp_path, FRAPPE | {"frappe.train.libfm": LINE + LINE.replace(b":1 ", b" ", 1)})
    with pytest.raises(ValueError, match=r"frappe\.train\.libfm, line 2"):
        read_frappe(folder)


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"{", b"[]", b'{"x": [1]}', b'{"9": [1]}', b'{"1": ["a"]}']
)
def test_wrong_attributes_name_their_file(text, tmp_path):
    folder = write(tmp_path, S3REC | {"Beauty_item2attributes.json": text})
    with pytest.raises(ValueError, match=r"Beauty_item2attributes\.json"):
        read_s3rec_beauty(folder)


@pytest.mark.parametrize(
    ("reader", "files"),
    [(read_ml_100k, ML_100K), (read_sasrec_ml_1m, SASREC), (read_gowalla, GOWALLA)],
)
def test_an_empty_file_names_itself(reader, files, tmp_path):
    name = next(iter(files))
    with pytest.raises(ValueError, match=name):
        reader(write(tmp_path, files | {name: b""}))


def test_windows_line_ends_are_read(tmp_path):
    files = {name: data.replace(b"\n", b"\r\n") for name, data in ML_100K.items()}
    assert read_ml_100k(write(tmp_path, files)).interactions.item.tolist() == [1, 0, 2]


def test_a_rated_movie_without_a_line_is_named(tmp_path):
    files = ML_1M | {"movies.dat": ML_1M["movies.dat"].replace(b"30::", b"40::")}
    with pytest.raises(ValueError, match=r"movies\.dat: no line for movie 30"):
        read_ml_1m(write(tmp_path, files))


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.lists(st.integers(0, 99), max_size=5)),
        min_size=1,
        max_size=9,
    )
)
def test_lists_come_back_as_they_were_written(tmp_path_factory, lists):
    path = tmp_path_factory.mktemp("lists") / "x"
    path.write_text("".join(" ".join(map(str, [user, *items])) + "\n" for user, items in lists))
    user, item = read_lists(path, numbered_from=0)
    assert user.tolist() == [user for user, items in lists for _ in items]
    assert item.tolist() == [item for _, items in lists for item in items]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10**12)), min_size=1, max_size=9))
def test_tables_come_back_as_they_were_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "x"
    path.write_text("".join(f"{a}::{b}\n" for a, b in rows))
    table = read_table(path, {"a": int, "b": int}, r"\d+::\d+", "two numbers", ("::",))
    assert np.array_equal(table.to_numpy(), rows)
