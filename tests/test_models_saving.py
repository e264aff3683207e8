"""A saved recommender comes back the same, or the error says what is wrong with its folder."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from rsutils.data.interactions import Interactions
from rsutils.models import CDAE, NCF, SoftmaxCF

MODELS = {
    "NCF": lambda: NCF(4, 3, (5,), dropout=0.2, epochs=2, seed=3, progress=False),
    "CDAE": lambda: CDAE(4, epochs=2, seed=3, progress=False),
    "SoftmaxCF": lambda: SoftmaxCF(4, epochs=2, seed=3, progress=False),
}
FILES = ["manifest.json", "model.keras", "arrays.npz"]


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    return Interactions.of(rng.integers(0, 30, 200), rng.integers(0, 20, 200), n_users=32)


@pytest.fixture(scope="module")
def fitted(log):
    return {name: make().fit(log) for name, make in MODELS.items()}


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    return fitted["NCF"].save(tmp_path_factory.mktemp("saved") / "ncf")


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "ncf"))


@pytest.mark.parametrize("name", MODELS)
def test_scores_settings_and_config_are_the_same_to_the_bit(name, fitted, log, tmp_path):
    model = fitted[name]
    again = type(model).load(model.save(tmp_path / "deep" / name))
    everyone = np.arange(log.n_users)
    np.testing.assert_array_equal(again.scores(everyone), model.scores(everyone))
    np.testing.assert_array_equal(
        again.recommend(everyone, 5, exclude=log), model.recommend(everyone, 5, exclude=log)
    )
    assert again.config() == model.config()
    learnt = {"model_", "_logits", *model.learnt_arrays}
    assert {k: v for k, v in vars(again).items() if k not in learnt} == {
        k: v for k, v in vars(model).items() if k not in learnt
    }
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == [name]


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_refuses_unknown_users_and_can_learn_again(name, fitted, log, tmp_path):
    again = type(fitted[name]).load(fitted[name].save(tmp_path / name))
    with pytest.raises(IndexError, match="User 32 is unknown"):
        again.scores([32])
    everyone = np.arange(log.n_users)
    np.testing.assert_array_equal(again.fit(log).scores(everyone), fitted[name].scores(everyone))


def test_the_file_holds_no_optimizer(fitted, folder):
    with zipfile.ZipFile(folder / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert not config.get("compile_config")
    weights = sum(weights.nbytes for weights in fitted["NCF"].model_.get_weights())
    compiled = keras.models.clone_model(fitted["NCF"].model_)
    compiled.compile("adam", "mse")
    compiled.optimizer.build(compiled.trainable_variables)
    compiled.save(folder / "with_optimizer.keras")
    assert (folder / "with_optimizer.keras").stat().st_size > (
        (folder / "model.keras").stat().st_size + weights
    )


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(file, folder):
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        NCF.load(folder)


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_short_is_refused(file, folder):
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{file}.*(changed|cut short)"):
        NCF.load(folder)


@pytest.mark.parametrize("file", FILES[1:])
def test_one_changed_byte_is_found(file, folder):
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(ValueError, match=f"{file} has changed.*Save the model again"):
        NCF.load(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sizes": {"n_users_": 32, "n_items_": 19}}, "manifest.json has changed"),
        ({"settings": {"seed": 4}}, "manifest.json has changed"),
        ({"format": 1}, "format 1; this version of rsutils reads format 2"),
    ],
)
def test_a_changed_manifest_is_found(changed, message, folder):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(ValueError, match=message):
        NCF.load(folder)


def test_files_of_another_model_are_refused(fitted, folder, tmp_path):
    other = fitted["SoftmaxCF"].save(tmp_path / "other")
    with pytest.raises(ValueError, match=r"holds a SoftmaxCF.*SoftmaxCF\.load"):
        NCF.load(other)
    (folder / "model.keras").write_bytes((other / "model.keras").read_bytes())
    with pytest.raises(ValueError, match=r"model\.keras has changed"):
        NCF.load(folder)


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 1}', "\x00\xff"])
def test_a_foreign_manifest_is_refused(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="no manifest of a saved model"):
        NCF.load(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        NCF.load(tmp_path / "nowhere")


class Exploding:
    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


def rehash(folder):
    """What somebody who means harm can do: make the checksums fit."""
    from rsutils import sealed
    from rsutils.models import saving

    manifest = json.loads((folder / "manifest.json").read_text())
    for name in FILES[1:]:
        manifest["sha256"][name] = sealed.sha256(folder / name)
    manifest["sha256"]["manifest.json"] = saving._checksum(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_no_pickle_is_run_even_where_the_checksums_fit(folder):
    np.savez(folder / "arrays.npz", popularity_=np.array([Exploding()], object), cold_=np.ones(1))
    rehash(folder)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        NCF.load(folder)
    (folder / "arrays.npz").write_bytes(pickle.dumps(Exploding()))
    rehash(folder)
    with pytest.raises(ValueError, match="pickled"):
        NCF.load(folder)


def test_no_lambda_is_run_even_where_the_checksums_fit(folder):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x)])
    model.save(folder / "model.keras")
    rehash(folder)
    with pytest.raises(ValueError, match="safe_mode"):
        NCF.load(folder)


def test_nothing_is_overwritten(fitted, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError, match="ncf exists"):
        fitted["NCF"].save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_save_that_fails_leaves_nothing_behind(fitted, tmp_path, monkeypatch):
    def full(*arguments, **more):
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="full"):
        fitted["NCF"].save(tmp_path / "ncf")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_learnt_nothing_is_not_saved(tmp_path):
    with pytest.raises(RuntimeError, match="call fit"):
        NCF().save(tmp_path / "ncf")
