"""One fitted model in several files: all score as it does, and nothing damaged is opened."""

import json
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy import sparse

from rsutils import evaluate, models
from rsutils.compress import Student
from rsutils.data import Interactions
from rsutils.sealed import MANIFEST, new_folder, seal
from rsutils.serve import exporting, formats
from rsutils.serve.exported import Exported, load_export
from rsutils.serve.exporting import export
from rsutils.serve.file_recommender import FileRecommender
from rsutils.serve.score_parity import check_parity, compared_users, parity
from rsutils.serve.scoring import KerasScorer, scoring_model, scoring_tables

N_USERS, N_ITEMS, COLD = 41, 20, 40
ONCE = {"epochs": 1, "progress": False}
SEQUENCES = {"dimensions": 8, "blocks": 1, "length": 6, **ONCE}
MODELS = {
    "attributes": lambda log: models.AttributeRecommender(kind="deepfm", hidden=(8,), **ONCE),
    "bert4rec": lambda log: models.BERT4Rec(**SEQUENCES),
    "cdae": lambda log: models.CDAE(dimensions=8, **ONCE),
    "ease": lambda log: models.EASE(l2=2.0),
    "ials": lambda log: models.IALS(dimensions=8, l2=0.02, progress=False),
    "ncf": lambda log: models.NCF(8, 4, (8,), **ONCE),
    "neighbours": lambda log: models.ItemNeighbours(neighbours=5, shrinkage=1.0),
    "sasrec": lambda log: models.SASRec(**SEQUENCES),
    "softmax_cf": lambda log: models.SoftmaxCF(dimensions=8, learning_rate=0.1, **ONCE),
}
EVERYONE = np.arange(N_USERS)


@pytest.fixture(scope="module")
def log():
    """User 40 has nothing, and the first items are the most popular."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((COLD, N_ITEMS)) < np.linspace(0.9, 0.3, N_ITEMS))
    order = rng.permutation(len(user))
    return Interactions.of(user[order], item[order], n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture(scope="module")
def fitted(log):
    return {name: make(log).fit(log) for name, make in MODELS.items()}


@pytest.fixture(scope="module")
def exports(fitted, tmp_path_factory):
    """Each model in all formats, and two of them in all variants; the folder by the name."""
    folder = tmp_path_factory.mktemp("exports")
    wanted = dict.fromkeys(MODELS, ()) | {"softmax_cf": None, "ncf": None}
    return {
        name: export(
            fitted[name],
            folder / name,
            variants=variants,
            dataset="demo",
            quality={"ndcg@10": 0.25},
            user_ids=[f"user-{number}" for number in range(N_USERS)],
        )
        for name, variants in wanted.items()
    }


@pytest.fixture
def copy(exports, tmp_path):
    """A folder to be damaged."""
    return shutil.copytree(exports["ials"], tmp_path / "copy")


@pytest.mark.parametrize("name", MODELS)
def test_the_scoring_model_scores_as_the_recommender(name, fitted):
    model = fitted[name]
    network = scoring_model(model)
    served = FileRecommender(KerasScorer(network), N_USERS, N_ITEMS, **scoring_tables(model))
    np.testing.assert_allclose(served.scores(EVERYONE), model.scores(EVERYONE), atol=2e-6)
    assert served.scores([]).shape == (0, N_ITEMS)
    # A name that Keras made up would count on in a second model.
    assert [each.name for each in scoring_model(model).layers] == [n.name for n in network.layers]


@pytest.mark.parametrize("name", ["ease", "ials", "neighbours", "sasrec", "bert4rec"])
def test_popularity_of_cold_users_is_exact_inside_of_the_model(name, fitted, exports):
    expected = fitted[name].scores([COLD])
    assert np.array_equal(expected[0], fitted[name].popularity_)
    for format_ in formats.FORMATS:
        assert np.array_equal(
            load_export(exports[name]).recommender(format_).scores([COLD]), expected
        )


def test_a_student_is_a_model_of_pairs(log):
    teacher = (log.to_csr() @ log.to_csr().T @ log.to_csr()).toarray()
    small = Student(2, 2, hidden=0, batch_size=41, blocks=1, epochs=2, progress=False)
    small.fit(log, teacher)
    served = FileRecommender(
        KerasScorer(scoring_model(small)), N_USERS, N_ITEMS, **scoring_tables(small)
    )
    np.testing.assert_allclose(served.scores(EVERYONE), small.scores(EVERYONE), atol=1e-6)


def test_the_original_model_is_left_as_it_was(fitted, tmp_path):
    for name in ("cdae", "sasrec"):
        model = fitted[name]
        again = type(model).load(model.save(tmp_path / name))
        assert np.array_equal(again.scores(EVERYONE), model.scores(EVERYONE))


@pytest.mark.parametrize("name", MODELS)
def test_every_format_recommends_what_the_model_does(name, fitted, exports, log):
    found = load_export(exports[name])
    expected = fitted[name].scores(EVERYONE)
    for format_ in formats.FORMATS:
        served = found.recommender(format_)
        for users in (EVERYONE, EVERYONE[[COLD]], EVERYONE[:0], EVERYONE[:7]):
            np.testing.assert_allclose(served.scores(users), expected[users], atol=1e-5)
        figures = found.manifest["scorers"][format_]["parity"]
        assert figures["users"] == N_USERS
        assert figures["largest_difference"] < 1e-5
        assert figures["top10_identical_but_ties"] == 1


def test_a_file_is_judged_as_the_model_is(fitted, exports, log):
    test = Interactions.of(EVERYONE, np.roll(EVERYONE, 3) % N_ITEMS, n_items=N_ITEMS)
    for name in ("softmax_cf", "ease"):
        served = load_export(exports[name]).recommender("onnx", threads=2)
        reports = [evaluate.full_ranking(m, test).mean() for m in (served, fitted[name])]
        assert reports[0] == pytest.approx(reports[1], abs=1e-6)
        lists = [m.recommend(EVERYONE, 5, exclude=log) for m in (served, fitted[name])]
        assert np.array_equal(*lists)
    with pytest.raises(IndexError, match="User 41 is unknown"):
        served.scores([41])
    with pytest.raises(TypeError, match="does not learn; fit the model and export it again"):
        served.fit(test)


def test_the_manifest_says_what_there_is(exports):
    found = load_export(exports["softmax_cf"])
    manifest = found.manifest
    assert repr(found).startswith("Exported(SoftmaxCF: saved_model, onnx, litert, onnx_int8")
    assert manifest["settings"] == {
        **{"dimensions": 8, "learning_rate": 0.1, "l2": 0.04, "epochs": 1, "batch_size": 256},
        **{"seed": 0, "progress": False},
    }
    assert manifest["sizes"] == {"n_users": N_USERS, "n_items": N_ITEMS}
    assert (manifest["dataset"], manifest["quality"]) == ("demo", {"ndcg@10": 0.25})
    assert manifest["versions"]["keras"] == keras.__version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", manifest["created"])
    for name in ("onnx_int4", "litert"):
        assert manifest["scorers"][name]["bytes"] == found.path(name).stat().st_size
    whole = sum(each.stat().st_size for each in found.path("saved_model").rglob("*.*"))
    assert manifest["scorers"]["saved_model"]["bytes"] == whole
    assert (found.user_ids[3], found.item_ids) == ("user-3", None)
    with pytest.raises(ValueError, match=r"has no 'onnx_int2'; it has saved_model, onnx"):
        found.scorer("onnx_int2")


def test_variants_are_measured_and_not_refused(exports):
    of_all, of_pairs = (load_export(exports[name]).manifest for name in ("softmax_cf", "ncf"))
    scorers = of_all["scorers"]
    difference = {name: each["parity"]["largest_difference"] for name, each in scorers.items()}
    assert difference["onnx_int4"] > difference["onnx_int8"] > 1e-5 > difference["onnx"]
    assert scorers["onnx_int8"]["settings"] == {"tables": 8}
    # For all items it would be a table of users and items.
    assert not any("precomputed" in name for name in scorers)
    assert "onnx_int8_precomputed" in of_pairs["scorers"]
    assert of_pairs["left_out"].keys() == {"onnx_precomputed"}
    assert of_pairs["left_out"]["onnx_precomputed"].startswith("onnx/fp32.onnx does nothing")


def test_own_variants_have_their_settings(fitted, tmp_path):
    own = {"onnx_mixed": {"tables": {"gmf_user": 4}, "dense": 16, "precompute": True}}
    found = load_export(export(fitted["ncf"], tmp_path / "own", ["onnx"], own, users=[3, COLD]))
    assert found.names == ("onnx", "onnx_mixed")
    assert found.manifest["scorers"]["onnx_mixed"]["settings"] == own["onnx_mixed"]
    assert found.manifest["scorers"]["onnx"]["parity"]["users"] == 2
    with pytest.raises(ValueError, match="There is no table 'factors'"):
        export(fitted["ncf"], tmp_path / "no", ["onnx"], {"onnx_x": {"tables": {"factors": 8}}})
    assert not (tmp_path / "no").exists()


REFUSED = {
    "no format": ({"formats": []}, "formats is (); expected some of saved_model, onnx, litert"),
    "an unknown format": ({"formats": "pmml"}, "formats is ('pmml',)"),
    "a format twice": ({"formats": ["onnx", "onnx"]}, "each once"),
    "an unknown variant": ({"variants": ["onnx_int3"]}, "no variant 'onnx_int3'; there are"),
    "a path as variant": ({"variants": {"onnx_../x": {}}}, "is no name of a variant"),
    "a format as variant": ({"variants": {"onnx": {}}}, "'onnx' is no name of a variant"),
    "no source": ({"formats": ["onnx"], "variants": ["litert_int8"]}, "is made from litert"),
    "few ids": ({"item_ids": ["a"]}, "There are 1 ids of items; expected 20"),
    "equal ids": ({"item_ids": [*"aabcdefghijklmnopqrs"]}, "The id 'a' stands for two items"),
    "numbers as ids": ({"item_ids": range(20)}, "An id of items is 0; expected text"),
    "NaN": ({"quality": {"ndcg@10": float("nan")}}, "which JSON does not hold"),
    "no users": ({"users": []}, "users is empty"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_at_the_door(name, fitted, tmp_path):
    arguments, message = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        export(fitted["ials"], tmp_path / "export", **arguments)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused(fitted, log, tmp_path, monkeypatch):
    with pytest.raises(TypeError, match=r"Popularity has no Keras model that scores.*SoftmaxCF"):
        export(models.Popularity().fit(log), tmp_path / "export")
    with pytest.raises(RuntimeError, match="This IALS has learnt nothing yet"):
        export(models.IALS(progress=False), tmp_path / "export")
    monkeypatch.setattr(formats, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"weights have 2,\d+ bytes; onnx and litert hold at most"):
        export(fitted["ials"], tmp_path / "export")
    assert not list(tmp_path.iterdir())
    export(fitted["ials"], tmp_path / "export", "saved_model", ())


def test_nothing_is_overwritten(fitted, exports):
    before = sorted(each.name for each in exports["ials"].parent.iterdir())
    with pytest.raises(FileExistsError, match="exists; expected a new folder"):
        export(fitted["ials"], exports["ials"])
    load_export(exports["ials"])
    assert sorted(each.name for each in exports["ials"].parent.iterdir()) == before


def test_a_format_that_scores_otherwise_leaves_nothing(fitted, log, tmp_path, monkeypatch):
    other = scoring_model(models.IALS(dimensions=8, l2=0.03, progress=False).fit(log))
    write = formats.export_litert
    monkeypatch.setattr(formats, "export_litert", lambda network, path: write(other, path))
    with pytest.raises(ValueError, match="litert does not score as the model does: the largest"):
        export(fitted["ials"], tmp_path / "export", variants=())
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(exporting, "seal", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        export(fitted["ials"], tmp_path / "export", ["onnx"], ())
    assert not list(tmp_path.iterdir())


def test_parity_of_hand_made_scores():
    scores = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    swapped = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 1.0]])
    figures = parity(scores, swapped)
    assert figures == {
        **{"users": 2, "largest_difference": 1.0, "largest_score": 3.0},
        **{"top10_identical": 0.5, "top10_identical_but_ties": 0.5},
    }
    with pytest.raises(ValueError, match=r"difference is 1, and 50.0% of 2 lists.*at most 3e-05"):
        check_parity("onnx", figures)
    without_number = parity(scores, np.where(scores == 1, np.nan, scores))
    assert without_number["largest_difference"] is None
    with pytest.raises(ValueError, match="difference is NaN or infinite"):
        check_parity("onnx", without_number)
    # Near enough in scores, and yet another list: the order of two items that are no tie.
    near = parity(np.array([[1.0, 1.000015]]), np.array([[1.0000099, 1.0000052]]))
    assert near["largest_difference"] < 1e-5
    with pytest.raises(ValueError, match=r"0.0% of 1 lists"):
        check_parity("onnx", near)


def test_a_user_without_history_is_compared_too():
    cold = np.arange(100) == 7
    found = compared_users(SimpleNamespace(n_users_=100, cold_=cold), most=4)
    assert found.tolist() == [0, 7, 33, 66, 99]
    history = sparse.csr_matrix(([1, 1], ([0, 2], [0, 0])), shape=(4, 1))
    assert compared_users(SimpleNamespace(n_users_=4, history_=history), 1).tolist() == [0, 1]
    assert compared_users(SimpleNamespace(n_users_=3), 9).tolist() == [0, 1, 2]


DAMAGE = {
    "a changed byte": (lambda f: (f / "onnx/fp32.onnx").write_bytes(b"x"), "fp32.onnx changed"),
    "a changed graph": (
        lambda f: (f / "saved_model/1/saved_model.pb").write_bytes(b""),
        "saved_model.pb changed",
    ),
    "a foreign file": (lambda f: (f / "onnx/int8.onnx").write_bytes(b""), "does not belong"),
    "a link": (lambda f: (f / "link.onnx").symlink_to(f / "onnx/fp32.onnx"), "does not belong"),
    "a linked folder": (lambda f: (f / "more").symlink_to(f / "onnx"), "does not belong"),
    "another id": (lambda f: (f / "user_ids.json").write_text("[]"), "user_ids.json changed"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_folders_are_refused(name, copy):
    load_export(copy)
    damage, message = DAMAGE[name]
    damage(copy)
    with pytest.raises(ValueError, match=message):
        load_export(copy)


def test_missing_files_and_other_folders_are_refused(copy, tmp_path):
    (copy / "litert/fp32.tflite").unlink()
    with pytest.raises(FileNotFoundError, match=r"fp32\.tflite is missing"):
        load_export(copy)
    with pytest.raises(FileNotFoundError, match=r"has no manifest\.json"):
        load_export(tmp_path / "nowhere")
    with new_folder(tmp_path / "system") as draft:
        seal(draft, "system", 1, {})
    with pytest.raises(ValueError, match=r"is a 'system' in format 1.*reads a 'exported model'"):
        load_export(tmp_path / "system")


def sealed_again(folder, **changed):
    """A folder as somebody would make it who knows how checksums work."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in ("kind", "format", "files", "sha256"):
        del manifest[name]
    (folder / MANIFEST).unlink()
    seal(folder, "exported model", 1, manifest | changed)
    return folder


def test_a_forged_manifest_names_no_file_elsewhere(copy):
    assert load_export(sealed_again(copy)).names == formats.FORMATS
    (copy.parent / "elsewhere.onnx").write_bytes((copy / "onnx/fp32.onnx").read_bytes())
    for name, message in (
        ("onnx_../../elsewhere", "has no such file"),
        ("onnx_int8", "has no such file"),
        ("pickle", "'pickle' is none of saved_model"),
    ):
        with pytest.raises(ValueError, match=message):
            load_export(sealed_again(copy, scorers={name: {}}))
    with pytest.raises(ValueError, match=r"manifest of .* is incomplete"):
        load_export(sealed_again(copy, scorers=None))
    (copy / "user_ids.json").write_text(json.dumps(["a"] * N_USERS))
    with pytest.raises(ValueError, match="'a' stands for two users"):
        load_export(sealed_again(copy, scorers={"onnx": {}}))


def test_pickles_are_refused(exports, tmp_path):
    folder = shutil.copytree(exports["ease"], tmp_path / "copy")
    np.save(folder / "tables/history_items.npy", np.array([{}]), allow_pickle=True)
    found = load_export(sealed_again(folder))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        found.recommender("onnx")


def test_opening_needs_no_tensorflow(exports):
    code = (
        "import sys, numpy as np; from rsutils.serve.exported import load_export\n"
        "for path in sys.argv[1:]:\n"
        "    for name in ('onnx', 'litert'):\n"
        "        load_export(path).recommender(name).recommend(np.arange(3))\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    folders = [str(exports[name]) for name in ("softmax_cf", "sasrec", "ease", "ncf")]
    subprocess.run([sys.executable, "-c", code, *folders], check=True)


def test_an_export_is_opened_by_its_class_too(exports):
    assert Exported(exports["ials"]).n_items == N_ITEMS
