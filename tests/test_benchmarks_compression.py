"""The benchmark of smaller models: a small run of it, its costs and comparisons by hand."""

import json
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from benchmarks import (
    compression,
    compression_costs,
    compression_families,
    compression_fields,
    compression_pairs,
    frappe,
)
from benchmarks.compression_families import FAMILIES
from benchmarks.compression_family import Passes
from benchmarks.compression_fields import FieldFamily, with_other_items
from rsutils import settings
from rsutils.compress import QuantizedTable, prunable
from rsutils.data import FieldRows
from rsutils.models import fields
from rsutils.models.fields import FieldModel
from rsutils.models.ncf import NCFConfig, build
from rsutils.serve import export_onnx


def table(path, values):
    ids = keras.Input((), dtype="int32", name="item")
    model = keras.Model(ids, keras.layers.Embedding(*np.shape(values), name="factors")(ids))
    model.set_weights([np.float32(values)])
    return export_onnx(model, path)


def test_overlap_counts_what_two_lists_share():
    lists = [{"item": np.arange(4)}, {"item": np.arange(4)}]
    down, up = (lambda inputs, sign=sign: sign * inputs["item"] for sign in (-1, 1))
    assert compression_costs.overlap(down, down, lists, k=2) == 1
    assert compression_costs.overlap(down, up, lists, k=2) == 0
    assert compression_costs.overlap(down, up, lists, k=3) == pytest.approx(2 / 3)


def test_costs_are_those_of_the_file_against_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(compression_costs, "TURNS", 1)
    rng = np.random.default_rng(0)
    big = table(tmp_path / "big.onnx", rng.normal(size=(4000, 8)))
    small = table(tmp_path / "small.onnx", rng.normal(size=(1000, 8)))
    found = compression_costs.costs(small, big, {"item": np.arange(10, dtype=np.int32)})
    assert found["bytes"] == small.stat().st_size
    assert 0.24 < found["bytes_ratio"] < 0.28
    assert 0.24 < found["zipped_ratio"] < 0.28
    assert found["p50_ms"] > 0
    assert found["peak_mb"] > 20


def test_losses_are_shares_of_ndcg_and_differences_of_auc():
    assert FAMILIES["neumf"].loss(0.5, 0.45) == pytest.approx(0.1)
    assert FAMILIES["dnfm"].loss(0.98, 0.979) == pytest.approx(0.001)


def test_plans_of_pruning_come_to_four_fifths_of_all_weights():
    sizes = {
        "deepfm": {
            "factors": 5382 * 16,
            "weights": 5382,
            "hidden_1": 160 * 256,
            "hidden_2": 256 * 128,
        },
        "dnfm": {
            "factors": 5382 * 64,
            "weights": 5382,
            "hidden_1": 64 * 128,
            "hidden_2": 128 * 64,
        },
    }
    for name, layers in sizes.items():
        plan = FAMILIES[name].pruning.sparsity
        zeros = sum(plan[layer] * size for layer, size in layers.items())
        assert zeros / sum(layers.values()) == pytest.approx(0.8, abs=0.003), name


def test_what_neumf_is_pruned_to_is_a_fifth_of_gmf_and_scores_as_it_did():
    network = build(keras, NCFConfig(60, 40, 64, 32, (64, 32, 16)))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(size=weights.shape) for weights in network.get_weights()])
    user, item = (network.get_layer(f"gmf_{side}").embeddings.numpy() for side in ("user", "item"))
    weight = network.get_layer("logit").kernel.numpy()[:64, 0]
    compression_pairs.prune_to_products(network, 19)
    kernels = [weights.numpy() for weights in prunable(network).values()]
    zeros = sum((kernel == 0).sum() for kernel in kernels) / sum(kernel.size for kernel in kernels)
    assert zeros > 0.797
    worth = np.linalg.norm(user, axis=0) * np.linalg.norm(item * weight, axis=0)
    kept = np.argsort(-worth)[:19]
    expected = (user[3] * item[5] * weight)[kept].sum() + network.get_layer("logit").bias.numpy()[0]
    found = network({"user": np.array([3]), "item": np.array([5])}).numpy()[0, 0]
    assert found == pytest.approx(expected, rel=1e-4)


def test_rows_with_other_items_differ_in_the_item_alone_and_one_copy_draws_popular_ones():
    rng = np.random.default_rng(0)
    features = rng.integers(0, 50, (2000, 3))
    features[:, 1] = np.where(np.arange(2000) % 4, 7, 50 + np.arange(2000) % 10)
    found = with_other_items(features, copies=2).reshape(3, 2000, 3)
    assert (found[0] == features).all()
    assert (found[..., [0, 2]] == features[..., [0, 2]]).all()
    assert set(np.unique(found[1:, :, 1])) == set(np.unique(features[:, 1]))
    popular, uniform = (found[1:, :, 1] == 7).mean(1)
    assert popular == pytest.approx(0.75, abs=0.05)
    assert uniform == pytest.approx(1 / 6, abs=0.05)


def test_teachers_label_every_row_with_their_mean(monkeypatch):
    rows = FieldRows(np.array([[0, 1], [2, 3]]), np.float32([0, 1]))
    said = {0: 0.1, 1: 0.2, 2: 0.6}

    def base(name, seed):
        assert name == "some family"
        return SimpleNamespace(probability=lambda ids: np.full(len(ids), said[seed], np.float32))

    monkeypatch.setattr(compression_families, "base", base)
    monkeypatch.setattr(compression_fields, "load", lambda name: SimpleNamespace(train=rows))
    found = compression_fields.taught_rows.__wrapped__("some family")
    assert len(found) == 2 * (1 + compression_fields.COPIES)
    assert found.label == pytest.approx(0.3)


@pytest.mark.parametrize("name", ["deepfm", "dnfm"])
def test_teachers_label_the_rows_with_which_deepfm_is_pruned_and_not_dnfm(name, monkeypatch):
    own, taught = (FieldRows(np.zeros((n, 2), int), np.zeros(n, np.float32)) for n in (30, 90))
    hard = SimpleNamespace(train=own, validation=own)
    monkeypatch.setattr(compression_fields, "load", lambda name: hard)
    monkeypatch.setattr(compression_fields, "taught_rows", lambda name: taught)
    network = fields.build(keras, fields.FieldConfig(name, 5, 2, hidden=(4, 2)))
    model = SimpleNamespace(model_=network, batch_size=10, l2=0.03, refine=lambda *given: given)
    family = FAMILIES[name]
    rows, _, epochs, validation, start, (pruner,) = family.pruned(model)
    assert validation is own
    assert rows is (taught if name == "deepfm" else own)
    assert model.l2 == (compression_fields.TAUGHT_PENALTY if name == "deepfm" else 0.03)
    last = pruner.schedules["factors"].end
    assert last == int(family.pruning.rising * epochs * len(rows) / 10)
    assert start * len(rows) / 10 >= last


def test_a_student_of_fields_learns_the_taught_rows_and_has_a_table_of_4_bits(monkeypatch):
    features = np.random.default_rng(0).integers([0, 20], [20, 40], (2000, 2))
    label = np.float32(features[:, 0] % 2 == features[:, 1] % 2)
    rows = FieldRows(features, label * 0.8 + 0.1)
    monkeypatch.setattr(compression_fields, "taught_rows", lambda name: rows)
    hard = SimpleNamespace(validation=FieldRows(features, label))
    monkeypatch.setattr(compression_fields, "load", lambda name: hard)
    family = replace(
        FAMILIES["deepfm"],
        small={"dimensions": 4, "hidden": (8,), "learning_rate": 0.02, "batch_size": 100},
        small_rounding=Passes(learning_rate=0.004, epochs=2),
    )
    small, bits = family.together(SimpleNamespace(seed=1, n_features_=41))
    assert (small.kind, small.seed, bits) == ("dnn", 1, {"tables": 4, "dense": 16})
    table = small.model_.get_layer("factors").embeddings.numpy()
    rounded = QuantizedTable.of(table, 4).rows(np.arange(41))
    assert np.abs(rounded - table).max() < 1e-6
    assert small.probability(features) == pytest.approx(rows.label, abs=0.2)


@pytest.mark.real_data
@pytest.mark.usefixtures("real_data")
def test_a_small_run_prints_what_each_file_is_worth(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compression_costs, "TURNS", 1)
    monkeypatch.setattr(settings, "BUILD", tmp_path)
    options = {"hidden": (8, 4), "batch_norm": True, "epochs": 1, "progress": False}

    def trained(self, seed):
        train = frappe.test().train
        return FieldModel("dnfm", 8, seed=seed, **options).fit(train, n_features=5382)

    monkeypatch.setattr(FieldFamily, "trained", trained)
    monkeypatch.setattr(compression_fields, "taught_rows", lambda name: frappe.test().train)
    names = ["fp32", "int8", "int8_precomputed", "int4_tables", "int4_aware"]
    names += ["litert_fp32", "litert_int8"]
    compression.main(["--family", "dnfm", "--system", *names, "student", "--seed", "3"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["system"] for row in rows] == [f"dnfm_{name}" for name in names]
    fp32, int8, precomputed, int4, aware, litert, litert_int8 = rows
    assert precomputed["bytes_ratio"] < 0.9
    assert abs(precomputed["loss"]) < 0.01
    assert aware["tables_ratio"] == pytest.approx(int4["tables_ratio"], abs=0.01)
    assert (litert["loss"], litert["bytes_ratio"], litert["top10_overlap"]) == (0, 1, 1)
    assert litert["auc"] == pytest.approx(fp32["auc"], abs=1e-4)
    assert litert_int8["bytes_ratio"] < 0.5
    assert (fp32["loss"], fp32["bytes_ratio"], fp32["top10_overlap"]) == (0, 1, 1)
    assert int4["bytes_ratio"] < int8["bytes_ratio"] < 0.4
    assert 0.5 < int4["top10_overlap"] <= 1
    assert abs(int8["loss"]) < 0.01
    assert all(row["seed"] == 3 and row["auc"] > 0.8 for row in rows)
    assert (tmp_path / "compression" / "dnfm_3" / "manifest.json").is_file()
