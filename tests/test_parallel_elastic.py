"""Training that loses workers, gains workers, and starts again from checkpoints."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from rsutils import parallel
from rsutils.parallel import elastic
from tests import elastic_jobs as jobs

IDS, LABEL = jobs.rows()

pytestmark = pytest.mark.workers
JUDGED = LABEL[jobs.LEARN :, 0]
KILLS = np.random.default_rng(0).integers([2, 0], [jobs.LAST_STEP - 30, 2], size=(10, 2)).tolist()


def run(**settings):
    kwargs = {"kwargs": settings, "output": None, "timeout": 300}
    hosts = settings.get("hosts") or ("localhost:1", "127.0.0.1:1")
    return parallel.run_elastic(jobs.train, hosts=hosts, **kwargs)[0]


@pytest.fixture(scope="module")
def undisturbed() -> dict:
    return run()


@pytest.fixture(scope="module")
def interval(undisturbed) -> tuple[float, float]:
    """Of the area under the curve of the undisturbed run, 95%, by bootstrap over rows."""
    rng = np.random.default_rng(1)
    samples = [rng.integers(jobs.JUDGE, size=jobs.JUDGE) for _ in range(500)]
    areas = [roc_auc_score(JUDGED[rows], undisturbed["scores"][rows]) for rows in samples]
    return tuple(np.quantile(areas, [0.025, 0.975]))


def test_undisturbed_training_sees_every_row_and_learns(undisturbed, interval):
    assert undisturbed["workers"] == 2
    assert undisturbed["epoch"] == jobs.EPOCHS
    assert {undisturbed[name] for name in ("redone", "missed", "resets")} == {0}
    assert interval[0] > 0.8


@pytest.mark.parametrize(("step", "rank"), KILLS)
def test_a_killed_worker_costs_at_most_a_commit_interval(
    step, rank, undisturbed, interval, tmp_path
):
    found = run(rank=rank, step=step, folder=str(tmp_path))
    assert (tmp_path / "dead").exists()
    assert (found["workers"], found["resets"], found["epoch"]) == (1, 1, jobs.EPOCHS)
    assert found["missed"] <= 1
    assert found["redone"] <= jobs.COMMIT_EVERY * 2 * jobs.BATCH
    assert interval[0] <= roc_auc_score(JUDGED, found["scores"]) <= interval[1]


def test_each_worker_drops_units_of_its_own():
    one, other = parallel.run_elastic(jobs.dropout_seeds, min_num_proc=2, output=None, timeout=200)
    assert len(one) == len(other) == 1
    assert one != other


def test_a_worker_is_added_while_training_runs(tmp_path, interval):
    hosts = tmp_path / "hosts"
    hosts.write_text("localhost:1\n127.0.0.1:1\n")
    found = run(hosts=str(hosts))
    assert (found["workers"], found["redone"], found["missed"]) == (3, 0, 0)
    assert roc_auc_score(JUDGED, found["scores"]) >= interval[0]


def test_a_job_goes_on_from_its_checkpoint(tmp_path):
    whole = jobs.train(epochs=4)
    jobs.train(epochs=2, folder=str(tmp_path))
    again = jobs.train(epochs=4, folder=str(tmp_path))
    for one, other in zip(whole["weights"], again["weights"], strict=True):
        np.testing.assert_array_equal(one, other)
    assert again["commits"] == whole["commits"]


def test_elastic_training_refuses_sharded_tables():
    from tests import parallel_jobs

    model = parallel_jobs.build("by_row")
    model.compile(parallel.DistributedOptimizer(keras.optimizers.Adam()), "mse")
    parallel.register_local_var(model.get_layer("table").embeddings)
    with pytest.raises(ValueError, match="would be lost with it; use whole tables"):
        elastic.fit(model, parallel_jobs.rows(), 8, 1, seed=0)


def test_one_host_is_refused():
    with pytest.raises(ValueError, match=r"hosts are \['localhost:2'\]; expected two or more"):
        parallel.run_elastic(jobs.train, hosts=["localhost:2"])


ARRAYS = st.dictionaries(
    st.from_regex(r"[a-z]{1,5}", fullmatch=True),
    st.lists(st.floats(allow_nan=False, width=32), max_size=4).map(np.array),
    max_size=3,
)


@given(st.lists(ARRAYS, min_size=1, max_size=4), st.integers(1, 3))
def test_the_newest_checkpoint_comes_back_and_few_are_kept(tmp_path_factory, states, keep):
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoints = parallel.Checkpoints(folder, keep)
    assert checkpoints.latest() is None
    for step, arrays in enumerate(states):
        checkpoints.save(step, arrays)
    found = checkpoints.latest()
    assert (found.step, found.refused) == (len(states) - 1, [])
    assert set(found.arrays) == set(states[-1])
    for name, array in states[-1].items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert len(list(folder.iterdir())) == 2 * min(keep, len(states))


def cut(folder):
    path = folder / "000000000002.npz"
    path.write_bytes(path.read_bytes()[:-10])


def flip(folder):
    path = folder / "000000000002.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(folder):
    (folder / "000000000002.json").write_text("")


def unwritten(folder):
    (folder / "000000000002.json").unlink()


def foreign(folder):
    head = folder / "000000000002.json"
    head.write_text(json.dumps({"sha256": "0"}))


@pytest.mark.parametrize("damage", [cut, flip, empty, unwritten, foreign])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_used(damage, tmp_path):
    checkpoints = parallel.Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, {"weights": np.full(50, step)})
    damage(tmp_path)
    found = checkpoints.latest()
    assert found.step == 1
    assert (found.arrays["weights"] == 1).all()
    assert len(found.refused) == (damage is not unwritten)


def test_a_checkpoint_that_holds_objects_is_refused(tmp_path):
    checkpoints = parallel.Checkpoints(tmp_path)
    checkpoints.save(1, {"weights": np.array([{"a": 1}], dtype=object)})
    assert checkpoints.latest() is None


def test_keep_is_checked():
    with pytest.raises(ValueError, match="keep is 0"):
        parallel.Checkpoints("x", keep=0)
