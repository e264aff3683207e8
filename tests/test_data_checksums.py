import hashlib

import pytest

from rsutils.data.checksums import verify
from rsutils.data.loading import load


def digest(path, scheme):
    """What ``verify`` finds, read from its message."""
    with pytest.raises(ValueError, match=f"its {scheme} checksum is") as caught:
        verify(path, f"{scheme}:0")
    return str(caught.value).split("checksum is ")[1].split(";")[0]


def test_sha256_is_of_the_bytes(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    verify(path, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    path.write_bytes(b"abd")
    with pytest.raises(ValueError, match=rf"{path} is not the published file"):
        verify(path, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


@pytest.mark.parametrize(
    ("scheme", "same", "other"),
    [
        ("pairs", ["0 1 2\n1 3\n", "1 3\n0 2 1\n", "1 3 \n0 2 1 \n"], "0 1 3\n1 2\n"),
        (
            "ratings",
            ["0\t1\t5\t9\n1\t2\t4\t9\n", "1\t2\t4\t0\n0\t1\t5\t0\n"],
            "0\t1\t4\t9\n1\t2\t5\t9\n",
        ),
    ],
)
def test_a_digest_of_the_contents_ignores_order_and_nothing_else(scheme, same, other, tmp_path):
    path = tmp_path / "x"
    digests = []
    for text in [*same, other]:
        path.write_text(text)
        digests.append(digest(path, scheme))
    assert len(set(digests[:-1])) == 1
    assert digests[-1] != digests[0]


def test_frappe_is_digested_as_the_csv_of_the_benchmark(tmp_path):
    path = tmp_path / "x"
    path.write_text("-1 0:1 2:1 4:1 6:1 8:1 10:1 12:1 14:1 16:1 18:1\n")
    head = "label,user,item,daytime,weekday,isweekend,homework,cost,weather,country,city\r\n"
    text = head + "0,0,2,4,6,8,10,12,14,16,18\r\n"
    verify(path, "frappe-x1:" + hashlib.md5(text.encode()).hexdigest())


@pytest.mark.parametrize("checksum", ["", "abc", "crc:1"])
def test_an_unknown_scheme_is_refused(checksum, tmp_path):
    with pytest.raises(ValueError, match="expected one of sha256, pairs"):
        verify(tmp_path, checksum)


@pytest.mark.real_data
def test_the_digests_that_the_benchmark_publishes_for_frappe(real_data):
    # README of reczoo/Datasets, Frappe_x1: md5sum of valid.csv and test.csv.
    folder = real_data / "frappe"
    verify(folder / "frappe.validation.libfm", "frappe-x1:88d51bf2173505436d3a8f78f2a59da8")
    verify(folder / "frappe.test.libfm", "frappe-x1:3470f6d32713dc5f7715f198ca7c612a")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "file"), [("gowalla", "train.txt"), ("ncf-ml-1m", "ml-1m.train.rating")]
)
def test_one_changed_item_is_noticed(name, file, real_data, tmp_path, monkeypatch):
    folder = tmp_path / name
    folder.mkdir()
    for path in (real_data / name).iterdir():
        data = path.read_bytes()
        if path.name == file:
            # The second number of the first line: user 0's first item, 0, becomes another.
            data = data[:2] + b"3705" + data[3:]
        (folder / path.name).write_bytes(data)
    monkeypatch.setenv("RSUTILS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=f"{file} is not the published file"):
        load(name)
