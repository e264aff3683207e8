import errno
import multiprocessing
import shutil
from dataclasses import replace

import numpy as np
import pytest

from rsutils.data import FieldDataset, catalogue, load
from tests.data_files import (
    GOWALLA,
    ML_100K,
    Server,
    archive_entry,
    files_entry,
    write,
    zipped,
)

ZIP = zipped(ML_100K, "ml-100k")
NOWHERE = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""


@pytest.fixture
def server():
    with Server().running() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache and no $RSUTILS_DATA; afterwards nothing half-written may be in the cache."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("RSUTILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RSUTILS_DATA", raising=False)
    folder = tmp_path / "cache" / "rsutils"
    yield folder
    whole = {"ml-100k.zip", "ml-100k", "gowalla", *ML_100K, *GOWALLA}
    assert {path.name for path in folder.rglob("*")} <= whole


@pytest.fixture
def use(monkeypatch):
    return lambda entry: monkeypatch.setitem(catalogue.CATALOGUE, entry.name, entry)


def assert_tiny_ml_100k(dataset):
    assert dataset.interactions.user.tolist() == [0, 1, 1]
    assert dataset.items["title"].tolist() == ["Toy Story", "Misérables, Les", "unknown"]
    assert dataset.licence == "test"


def test_an_archive_is_downloaded_once(server, cache, use):
    use(archive_entry([server.give("/ml-100k.zip", ZIP)], ZIP))
    assert_tiny_ml_100k(load("ml-100k"))
    assert_tiny_ml_100k(load("ml-100k"))
    assert server.asked == ["/ml-100k.zip"]
    assert sorted(path.name for path in (cache / "ml-100k").iterdir()) == sorted(ML_100K)


def test_files_are_downloaded_and_only_the_missing_ones(server, cache, use):
    use(files_entry(server.address))
    server.give("/train.txt", GOWALLA["train.txt"])
    with pytest.raises(ConnectionError, match=r"Put test.txt \(http"):
        load("gowalla")
    server.give("/test.txt", GOWALLA["test.txt"])
    assert load("gowalla").published.test.item.tolist() == [2, 0]
    assert server.asked == ["/train.txt", "/test.txt", "/test.txt"]


def test_rsutils_data_comes_before_the_cache(tmp_path, cache, use, monkeypatch):
    use(archive_entry([NOWHERE], ZIP))
    write(cache / "ml-100k", ML_100K | {"u.data": b"broken"})
    write(tmp_path / "mine" / "ml-100k", ML_100K)
    monkeypatch.setenv("RSUTILS_DATA", str(tmp_path / "mine"))
    assert_tiny_ml_100k(load("ml-100k"))


def test_rsutils_data_without_the_folder_goes_on_to_the_cache(tmp_path, cache, use, monkeypatch):
    use(archive_entry([NOWHERE], ZIP))
    write(cache / "ml-100k", ML_100K)
    monkeypatch.setenv("RSUTILS_DATA", str(tmp_path))
    assert_tiny_ml_100k(load("ml-100k"))


def test_an_archive_put_into_the_cache_by_hand_is_used(cache, use):
    use(archive_entry([NOWHERE], ZIP))
    write(cache, {"ml-100k.zip": ZIP})
    assert_tiny_ml_100k(load("ml-100k"))


def test_a_wrong_archive_put_into_the_cache_is_refused(cache, use):
    use(archive_entry([NOWHERE], ZIP))
    write(cache, {"ml-100k.zip": ZIP[:-1]})
    with pytest.raises(ValueError, match=r"ml-100k.zip is not the published file.*Delete it"):
        load("ml-100k")


def test_no_network_says_what_to_put_where_and_names_the_demo(cache, use):
    use(archive_entry([f"{NOWHERE}/ml-100k.zip"], ZIP))
    with pytest.raises(ConnectionError) as caught:
        load("ml-100k")
    message = str(caught.value)
    for part in (NOWHERE, f"ml-100k.zip ({NOWHERE}/ml-100k.zip) into {cache}", "$RSUTILS_DATA"):
        assert part in message
    assert 'load("demo")' in message


@pytest.mark.parametrize(
    "page",
    [
        {"body": ZIP[:100], "length": len(ZIP)},
        {"body": ZIP[:-1]},
        {"body": b"", "status": 500},
    ],
    ids=["truncated", "wrong checksum", "error"],
)
def test_a_bad_download_stops_with_a_way_on(server, cache, use, page):
    use(archive_entry([server.give("/ml-100k.zip", **page)], ZIP))
    with pytest.raises(ConnectionError, match=r"No mirror gave ml-100k.zip[\s\S]*Put ml-100k.zip"):
        load("ml-100k")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    "evil", [{"../../evil": b"x"}, {"/../evil": b"x"}], ids=["parent", "absolute"]
)
def test_an_archive_that_leads_outside_is_refused(server, cache, tmp_path, use, evil):
    data = zipped(ML_100K | evil, "ml-100k")
    use(archive_entry([server.give("/ml-100k.zip", data)], data))
    with pytest.raises(ValueError, match="a path outside the folder"):
        load("ml-100k")
    assert list(cache.iterdir()) == []
    assert not list(tmp_path.rglob("evil"))


def test_a_full_disk_stops_with_a_way_on(server, cache, use, monkeypatch):
    use(archive_entry([server.give("/ml-100k.zip", ZIP)], ZIP))

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(
        OSError, match=r"No space left.*ml-100k cannot be written to.*RSUTILS_CACHE"
    ):
        load("ml-100k")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("where", ["cache", "data"])
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            {"u.data": ML_100K["u.data"] + b"1\t2\tfive\t8\n"},
            r"u\.data, line 4: '1\\t2\\tfive\\t8'",
        ),
        ({"u.data": ML_100K["u.data"][:-14]}, r"u\.data, line 3"),
        (
            {"u.data": ML_100K["u.data"].replace(b"\t5\t", b"\t4\t")},
            r"u\.data is not the published",
        ),
        ({"u.user": ML_100K["u.user"] + b"3|30|F|writer|1\n"}, r"u\.user is not the published"),
    ],
    ids=["malformed", "truncated", "changed", "longer"],
)
def test_a_broken_file_is_named_wherever_it_lies(
    where, broken, message, tmp_path, cache, use, monkeypatch
):
    use(archive_entry([NOWHERE], ZIP))
    if where == "data":
        monkeypatch.setenv("RSUTILS_DATA", str(tmp_path / "mine"))
        write(tmp_path / "mine" / "ml-100k", ML_100K | broken)
        way_on = "unset RSUTILS_DATA"
    else:
        write(cache / "ml-100k", ML_100K | broken)
        way_on = "Delete"
    with pytest.raises(ValueError, match=f"{message}[^$]*{way_on}"):
        load("ml-100k")


def test_a_missing_file_is_named(cache, use):
    use(archive_entry([NOWHERE], ZIP))
    folder = write(cache / "ml-100k", ML_100K)
    (folder / "u.item").unlink()
    with pytest.raises(FileNotFoundError, match=r"u\.item is missing.*Delete"):
        load("ml-100k")


def test_wrong_counts_are_refused(cache, use):
    entry = archive_entry([NOWHERE], ZIP)
    use(replace(entry, rows=(4, 5)))
    write(cache / "ml-100k", ML_100K)
    with pytest.raises(ValueError, match="2 users, 3 items and 3 rows; expected 2, 3 and 4 or 5"):
        load("ml-100k")


def test_an_unknown_name_lists_the_known_and_the_closest():
    with pytest.raises(ValueError, match=r"called 'ml100k'. Did you mean 'ml-100k'\? Known: demo,"):
        load("ml100k")


def test_the_demo_world_needs_no_network_and_is_as_the_catalogue_says():
    dataset, entry = load("demo"), catalogue.CATALOGUE["demo"]
    log = dataset.interactions
    assert (log.n_users, log.n_items, (len(log),)) == (entry.users, entry.items, entry.rows)
    assert dataset.licence == entry.licence


def _load_in_a_process(url, start, results):
    catalogue.CATALOGUE["ml-100k"] = archive_entry([url], ZIP)
    start.wait(60)
    results.put(len(load("ml-100k").interactions))


def test_two_processes_may_load_at_once(server, cache):
    url = server.give("/ml-100k.zip", ZIP)
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_load_in_a_process, args=(url, start, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [3, 3]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert {path.name for path in cache.iterdir()} == {"ml-100k"}


@pytest.fixture
def published(real_data, monkeypatch):
    monkeypatch.setenv("RSUTILS_DATA", str(real_data))
    return load


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "users", "items", "train", "validation", "test"),
    [
        ("ncf-ml-1m", 6040, 3706, 994_169, None, 6040),
        ("sasrec-ml-1m", 6040, 3416, 987_531, 6040, 6040),
        ("s3rec-beauty", 22_363, 12_101, 153_776, 22_363, 22_363),
        ("s3rec-lastfm", 1090, 3646, 50_371, 1090, 1090),
        ("gowalla", 29_858, 40_981, 810_128, None, 217_242),
    ],
)
def test_published_splits(published, name, users, items, train, validation, test):
    dataset = published(name)
    split = dataset.published
    for part in (dataset.interactions, split.train, split.test):
        assert (part.n_users, part.n_items) == (users, items)
    assert (len(split.train), len(split.test)) == (train, test)
    assert (split.validation and len(split.validation)) == validation
    assert len(dataset.interactions) == train + (validation or 0) + test
    assert dataset.licence


@pytest.mark.real_data
def test_ml_100k(published):
    dataset = published("ml-100k")
    log = dataset.interactions
    assert (len(log), log.n_users, log.n_items) == (100_000, 943, 1682)
    # The mean rating in the literature: 3.53.
    assert log.rating.mean() == pytest.approx(3.52986, abs=1e-5)
    assert dataset.items.loc[0, "title"] == "Toy Story"
    assert dataset.items.loc[0, "year"] == 1995
    assert dataset.items["year"].isna().sum() == 1
    assert dataset.items["title"].str.contains("é").any()
    assert dataset.users.loc[0].to_dict() == {
        "age": 24,
        "gender": "M",
        "occupation": "technician",
        "zip_code": "85711",
    }


@pytest.mark.real_data
def test_ncf_negatives_are_no_positives(published):
    split = published("ncf-ml-1m").published
    assert split.negatives.shape == (6040, 99)
    assert split.test.user.tolist() == list(range(6040))
    assert split.negatives[0, :3].tolist() == [1064, 174, 2791]
    seen = split.train.to_csr()
    assert seen[np.repeat(np.arange(6040), 99), split.negatives.ravel()].sum() == 0


@pytest.mark.real_data
def test_s3rec_attributes(published):
    beauty = published("s3rec-beauty")
    # In the file: item "4" has the attributes 1, 2 and 3; both are numbered from 1 there.
    assert beauty.items.loc[3, "attributes"] == (0, 1, 2)
    assert beauty.extras["n_attributes"] == 637
    # The file's first line: user 1, items 1 to 5.
    first = beauty.interactions.take(beauty.interactions.user == 0)
    assert first.item.tolist() == first.timestamp.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.real_data
def test_frappe(published):
    frappe = published("frappe")
    assert isinstance(frappe, FieldDataset)
    assert frappe.n_features == 5382
    parts = (frappe.train, frappe.validation, frappe.test)
    assert [len(part) for part in parts[1:]] == [57_722, 28_860]
    # As published, or re-assembled.
    assert len(frappe.train) in (202_027, 202_005)
    assert len(frappe.fields) == frappe.train.features.shape[1] == 10
    for part in parts:
        assert set(np.unique(part.label)) == {0, 1}
        assert part.label.mean() == pytest.approx(1 / 3, abs=0.01)
    assert frappe.test.features[0].tolist()[:3] == [204, 4798, 5041]
    assert frappe.test.label[:2].tolist() == [0, 1]
