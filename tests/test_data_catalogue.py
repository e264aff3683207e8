import re
from urllib.parse import urlsplit

import pytest

from rsutils.data import describe
from rsutils.data.catalogue import CATALOGUE, find
from rsutils.data.checksums import SCHEMES

LOADABLE = [entry for entry in CATALOGUE.values() if entry.name != "demo"]
NAMES = [entry.name for entry in LOADABLE]


def test_the_course_has_these():
    expected = "demo ml-100k ml-1m ncf-ml-1m sasrec-ml-1m s3rec-beauty s3rec-lastfm gowalla frappe"
    assert list(CATALOGUE) == expected.split()


@pytest.mark.parametrize("entry", LOADABLE, ids=NAMES)
def test_what_is_downloaded_can_be_checked(entry):
    downloads = [entry.archive] if entry.archive else entry.files
    assert downloads
    for file in downloads:
        scheme, digest = file.checksum.split(":")
        assert scheme in SCHEMES
        assert re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{64}", digest)
        assert file.urls
        for url in file.urls:
            assert urlsplit(url).scheme == "https"
            assert url.endswith("/" + file.name)


@pytest.mark.parametrize("entry", LOADABLE, ids=NAMES)
def test_every_entry_says_what_it_is(entry):
    assert entry.licence
    assert entry.citation
    assert entry.source.startswith("https://")
    assert entry.users > 0
    assert entry.items > 0
    assert all(count > 0 for count in entry.rows)


def test_the_table_shows_them_all():
    table = describe()
    assert list(table.index) == list(CATALOGUE)
    assert list(table.columns) == ["users", "items", "rows", "licence", "source"]
    assert table.loc["gowalla", ["users", "items", "rows"]].tolist() == [29_858, 40_981, 1_027_370]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ml-100K", "Did you mean 'ml-100k'?"),
        ("ml_1m", "Did you mean 'ml-1m'?"),
        ("Frappe", "Did you mean 'frappe'?"),
        ("qqqq", "called 'qqqq'. Known: demo"),
        (None, "called None. Known: demo"),
    ],
)
def test_an_unknown_name_is_refused_with_a_hint(name, hint):
    with pytest.raises(ValueError, match=re.escape(hint)):
        find(name)
