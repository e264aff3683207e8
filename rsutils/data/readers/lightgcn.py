"""The item lists of NGCF and LightGCN.

Source: He, Deng, Wang, Li, Zhang and Wang, LightGCN, SIGIR 2020, arXiv:2002.02126, section 4.1.
"""

from dataclasses import replace
from pathlib import Path

from rsutils.data.dataset import Dataset, Split
from rsutils.data.interactions import Interactions
from rsutils.data.readers.text import read_lists


def read_gowalla(folder: Path) -> Dataset:
    """Read ``train.txt`` and ``test.txt``: a line of ``user item item ...`` for each user.

    The source publishes no times and no validation part; the timestamp is the place in the file,
    test after training.

    Raises:
        ValueError: a line is malformed.
        FileNotFoundError: a file is missing.
    """
    train, test = (
        Interactions.of(*read_lists(folder / f"{part}.txt", numbered_from=0))
        for part in ("train", "test")
    )
    sizes = {
        name: max(getattr(train, name), getattr(test, name)) for name in ("n_users", "n_items")
    }
    train = replace(train, **sizes)
    test = replace(test, timestamp=test.timestamp + len(train), **sizes)
    return Dataset(
        name="gowalla",
        interactions=Interactions.concatenate([train, test]),
        published=Split(train=train, validation=None, test=test),
    )
