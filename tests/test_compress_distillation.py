"""Soft labels, teachers' scores, and students that rank as their teachers do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from rsutils.compress.compact_tables import CompactTable, HashedTable, QuotientRemainderTable
from rsutils.compress.distillation import (
    mixed_labels,
    mixed_rows,
    ranking_labels,
    standardized,
    teacher_scores,
)
from rsutils.compress.logit_fit import calibrate_logit
from rsutils.compress.low_rank import truncate
from rsutils.compress.mixed_table import MixedTable
from rsutils.compress.pruning import KeepZeros
from rsutils.compress.score_distillation import BlockBatches, ScoreDistillation, distil
from rsutils.compress.student import Student
from rsutils.compress.student_network import StudentConfig, build, towers
from rsutils.compress.twin import make_twin
from rsutils.data.dataset import FieldRows
from rsutils.data.interactions import Interactions
from rsutils.models import EASE, Popularity
from rsutils.models.fields import FieldModel
from rsutils.models.ncf import NCF
from rsutils.serve.onnx_compress import compress_onnx
from rsutils.serve.onnx_export import export_onnx
from rsutils.serve.onnx_scorer import OnnxScorer

SMALL = {
    "user_dimensions": 3,
    "item_dimensions": 2,
    "hidden": 8,
    "features": 4,
    "batch_size": 32,
    "blocks": 3,
    "learning_rate": 0.02,
    "progress": False,
}
UNIT = st.floats(0, 1, width=32)


@pytest.fixture(scope="module")
def log():
    """Even users take even items, odd users odd ones, low numbers most; user 40 has nothing."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((40, 20)) < np.linspace(0.9, 0.3, 20))
    own = user % 2 == item % 2
    return Interactions.of(user[own], item[own], n_users=41, n_items=20)


@pytest.fixture(scope="module")
def teacher(log):
    return teacher_scores([EASE(l2=2.0).fit(log)], log.to_csr())


@pytest.fixture(scope="module")
def student(log, teacher):
    return Student(**SMALL, epochs=15).fit(log, teacher)


@given(st.lists(st.tuples(st.integers(0, 1), UNIT, st.floats(-9, 9)), min_size=1), UNIT)
@settings(max_examples=150, deadline=None)
def test_one_loss_on_mixed_labels_is_the_sum_of_two(rows, weight):
    label, probability, logit = np.array(rows, np.float32).T

    def entropy(target):
        return float(keras.losses.binary_crossentropy(target, logit, from_logits=True))

    apart = (1 - weight) * entropy(label) + weight * entropy(probability)
    assert entropy(mixed_labels(label, probability, weight)) == pytest.approx(apart, abs=1e-4)


def test_a_softmax_of_one_output_teaches_nothing():
    for logit in (-3.0, 0.0, 5.0):
        assert tf.nn.softmax([[logit]]).numpy() == 1.0


def test_mixed_rows_keep_their_features():
    rows = FieldRows(np.arange(6).reshape(3, 2), np.float32([1, 0, 1]))
    mixed = mixed_rows(rows, np.float32([0.5, 0.5, 1.0]), 0.5)
    assert mixed.features is rows.features
    assert mixed.label.tolist() == [0.75, 0.25, 1.0]
    assert mixed.label.dtype == np.float32


@given(
    arrays.arrays(np.float32, (4, 6), elements=st.floats(-(2.0**60), 2.0**60, width=32)),
    arrays.arrays(bool, (4, 6)),
)
@settings(max_examples=150, deadline=None)
def test_standardized_scores_are_finite_and_keep_each_users_order(scores, taken):
    found = standardized(scores, sparse.csr_matrix(taken.astype(np.float32)))
    assert found.shape == (4, 6)
    assert np.isfinite(found[~taken]).all()
    for row, own, free in zip(scores, found, ~taken, strict=True):
        if free.any():
            assert (np.diff(own[free][np.argsort(row[free])]) >= 0).all()
            assert abs(own[free].mean()) < 1e-3
            assert own[free].std() == pytest.approx(1, abs=1e-3) or not own[free].any()


def test_teachers_are_averaged_on_one_scale(log):
    taken = log.to_csr()
    ease, popularity = EASE(l2=2.0).fit(log), Popularity().fit(log)
    users = np.arange(41)
    parts = [standardized(m.scores(users), taken) for m in (ease, popularity)]
    found = teacher_scores([ease, popularity], taken)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, standardized(sum(parts), taken), atol=0.01)


def test_the_first_items_of_the_teacher_with_weights_that_fall():
    scores = np.array([[5.0, 4.0, 3.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
    items, weight = ranking_labels(scores, sparse.csr_matrix([[1, 0, 0, 0], [0, 0, 0, 1]]), 3, 1.0)
    assert items.tolist() == [[1, 2, 3], [2, 1, 0]]
    expected = np.exp([-1, -2, -3]) / np.exp([-1, -2, -3]).sum()
    np.testing.assert_allclose(weight, expected, rtol=1e-6)


TABLES = {
    "full": CompactTable(9, 5),
    "mixed": MixedTable.of([5, 1, 2, 90, 1, 1, 7, 1, 1], 6, blocks=2),
    "quotients": QuotientRemainderTable(9, 4, remainders=3),
    "hashed": HashedTable(9, 4, buckets=5, functions=2),
}


@pytest.mark.parametrize("users", TABLES)
@pytest.mark.parametrize("items", TABLES)
@pytest.mark.parametrize("hidden", [0, 7])
def test_parameters_are_known_before_a_student_is_built(users, items, hidden):
    config = StudentConfig(TABLES[users], TABLES[items], hidden, features=3)
    model = build(keras, config)
    assert model.count_params() == config.parameters
    assert model({"user": np.zeros(3, np.int32), "item": np.zeros(3, np.int32)}).shape == (3, 1)


def test_the_first_vectors_are_the_teachers(log, teacher):
    """Before the first step, with no hidden layer in the way, the product is the SVD's."""
    model = Student(**{**SMALL, "item_dimensions": 3}, epochs=1)
    model.n_users_, model.n_items_ = teacher.shape
    model.model_ = build(keras, model.config())
    model._start_near(teacher.astype(np.float32))
    user, item = (
        tower(np.arange(n)).numpy() for tower, n in zip(towers(model.model_), (41, 20), strict=True)
    )
    best = truncate(teacher.astype(float), 3).table / model.temperature
    np.testing.assert_allclose((user[:, :3] @ item[:, :3].T), best, rtol=1e-3, atol=5e-3)


def test_the_logit_is_the_product_of_two_towers_and_has_a_twin(student):
    rng = np.random.default_rng(0)
    user, item = rng.integers(41, size=30), rng.integers(20, size=30)
    logit = student.model_({"user": user, "item": item}).numpy()
    vectors = [
        tower(ids).numpy() for tower, ids in zip(towers(student.model_), (user, item), strict=True)
    ]
    scale, bias = student.model_.get_layer("logit").get_weights()
    product = (vectors[0] * vectors[1]).sum(1, keepdims=True)
    np.testing.assert_allclose(logit, product * scale + bias, rtol=1e-4, atol=1e-4)
    twin = make_twin(build, student.config(), student.model_)
    given_ids = {"user": tf.constant(user), "item": tf.constant(item)}
    np.testing.assert_allclose(twin(given_ids).numpy(), logit, rtol=1e-4, atol=1e-4)
    assert isinstance(twin, tf_keras.Model)


def test_a_student_exports(student, tmp_path):
    ids = {"user": np.arange(20, dtype=np.int32), "item": np.arange(20, dtype=np.int32)}
    scorer = OnnxScorer(export_onnx(student.model_, tmp_path / "student.onnx"))
    np.testing.assert_allclose(scorer(ids), student.model_(ids).numpy(), rtol=1e-4, atol=1e-5)


def test_a_tower_by_hand():
    model = build(keras, StudentConfig(CompactTable(3, 2), CompactTable(4, 2), 5, 3))
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    row = 5 * weights["user_factors"][0][[2, 0]]
    (A, a), (B, b) = weights["user_hidden"], weights["user_vector"]
    z = row @ A + a
    expected = np.hstack([row, z / (1 + np.exp(-z))]) @ B + b
    found = towers(model)[0](np.array([2, 0])).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_loss_by_hand(log, teacher):
    model = build(keras, StudentConfig(CompactTable(41, 3), CompactTable(20, 2), 8, 4))
    taken = log.to_csr()
    trained = ScoreDistillation(
        *towers(model), teacher, taken, n_blocks=3, temperature=2.0, weight=0.7, power=0.5, seed=0
    )
    blocks = trained.items.numpy()
    assert blocks.shape == (3, 7)
    assert set(blocks.ravel()) == set(range(20))
    users, block = np.array([4, 40, 7]), 1
    output = trained({"user": tf.constant(users, tf.int32), "block": tf.constant([block])})
    user, item = (
        tower(ids).numpy() for tower, ids in zip(towers(model), (users, blocks[block]), strict=True)
    )
    score, has = user @ item.T, taken.toarray()[users][:, blocks[block]] > 0
    goal = teacher[users][:, blocks[block]].astype(float)
    np.testing.assert_allclose(output[0].numpy(), score, rtol=1e-4, atol=1e-5)
    soft, hard, total = [], [], 0.0
    for s, z, own in zip(score, goal, has, strict=True):
        target = np.exp(z[~own] / 2)
        log_p = s[~own] - np.log(np.exp(s[~own]).sum())
        soft.append(-(target / target.sum() * log_p).sum())
        hard.extend((np.log(np.exp(s).sum()) - s[own]) / np.sqrt(max(own.sum(), 1)))
        total += np.sqrt(own.sum())
    expected = 0.7 * np.mean(soft) + 0.3 * np.sum(hard) / total
    assert float(trained.compute_loss(y_pred=output)) == pytest.approx(expected, rel=1e-4)


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_in_an_epoch_all_users_meet_all_blocks_once(n_users, n_blocks, batch_size):
    batches = BlockBatches(n_users, n_blocks, batch_size, seed=0)
    met = np.zeros((n_blocks, n_users), int)
    for index in range(len(batches)):
        np.add.at(met[batches[index]["block"][0]], batches[index]["user"], 1)
    assert (met == 1).all()


def test_the_student_ranks_as_its_teacher_does(student, log, teacher):
    taken = log.to_csr().toarray() > 0
    scores = student.scores(np.arange(41))
    for user in range(40):
        free = ~taken[user]
        ours, theirs = (np.argsort(-s[user][free])[:3] for s in (scores, teacher))
        assert set(ours) & set(theirs)
    found = student.recommend(np.arange(40), k=3, exclude=log)
    right = found % 2 == np.arange(40)[:, None] % 2
    assert right[found >= 0].mean() > 0.8


def test_without_the_teacher_nothing_of_it_is_learnt(log, teacher):
    """The first vectors are the teacher's; of zeros there are none."""
    none = np.zeros_like(teacher)
    alone = Student(**SMALL, weight=0.0, epochs=2).fit(log, none)
    again = Student(**SMALL, weight=0.0, epochs=2).fit(log, none)
    users = np.arange(41)
    np.testing.assert_array_equal(alone.scores(users), again.scores(users))
    assert np.isfinite(alone.scores(users)).all()


def test_the_logit_is_calibrated(student, log):
    """Over observed pairs and four drawn ones each, the mean probability is a fifth."""
    taken = log.to_csr().toarray() > 0
    probability = 1 / (1 + np.exp(-student.scores(np.arange(41)).astype(float)))
    observed = probability[taken].mean()
    drawn = np.mean([probability[u][~taken[u]].mean() for u in log.user])
    assert (observed + 4 * drawn) / 5 == pytest.approx(0.2, abs=0.02)
    assert observed > drawn


def test_tables_learnt_in_few_bits_are_those_of_the_file(log, teacher, tmp_path):
    student = Student(**{**SMALL, "epochs": 20}, table_bits=4).fit(log, teacher)
    exact = export_onnx(student.model_, tmp_path / "exact.onnx")
    codes = compress_onnx(exact, tmp_path / "codes.onnx", tables=4)
    pairs = {"user": np.arange(20, dtype=np.int32), "item": np.arange(20, dtype=np.int32)}
    np.testing.assert_allclose(OnnxScorer(codes)(pairs), OnnxScorer(exact)(pairs), atol=1e-4)
    rows = student.model_.get_layer("item_factors").embeddings.numpy()
    assert max(len(np.unique(np.abs(row.round(6)))) for row in rows) <= 8


def test_other_towers_can_be_taught_while_their_zeros_stay(log, teacher):
    """Such as the two tables of a pruned NCF."""
    network = NCF(6, hidden=(), progress=False, epochs=1).fit(log).model_
    for name in ("gmf_user", "gmf_item"):
        table = network.get_layer(name).embeddings
        table.assign(table.numpy() * (np.arange(6) < 4))
    sides = towers(network, "gmf_{side}")
    options = {"blocks": 1, "epochs": 60, "batch_size": 16, "learning_rate": 0.1}
    distil(*sides, teacher, log.to_csr(), **options, callbacks=[KeepZeros(network)])
    scores = sides[0](np.arange(40)).numpy() @ sides[1](np.arange(20)).numpy().T
    free = log.to_csr().toarray()[:40] == 0
    for zeros in ("gmf_user", "gmf_item"):
        assert not network.get_layer(zeros).embeddings.numpy()[:, 4:].any()
    both = [np.where(free, each[:40], -np.inf).argsort(1)[:, -3:] for each in (scores, teacher)]
    assert np.mean([len(set(a) & set(b)) for a, b in zip(*both, strict=True)]) > 1.5
    before = network({"user": np.arange(20), "item": np.arange(20)}).numpy()
    calibrate_logit(network, log)
    after = network({"user": np.arange(20), "item": np.arange(20)}).numpy()
    assert (before.argsort(0) == after.argsort(0)).all()
    with pytest.raises(ValueError, match=r"shape \(41, 19\)"):
        distil(*sides, teacher[:, 1:], log.to_csr())


def test_a_user_without_a_history_gets_what_is_popular(student, log):
    counts = np.bincount(log.item, minlength=20)
    assert student.recommend([40], k=1)[0, 0] == counts.argmax()


def test_a_saved_student_gives_the_same(student, tmp_path):
    again = Student.load(student.save(tmp_path / "student"))
    users = np.arange(41)
    np.testing.assert_array_equal(again.scores(users), student.scores(users))


def test_another_seed_gives_another_student(student, log, teacher):
    same = Student(**SMALL, epochs=15).fit(log, teacher)
    np.testing.assert_array_equal(same.scores([0, 5]), student.scores([0, 5]))
    other = Student(**SMALL, epochs=15, seed=1).fit(log, teacher)
    assert not np.allclose(other.scores([0, 5]), student.scores([0, 5]))


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (2, 2)])
def test_the_smallest_tables_can_be_learnt(shape):
    log = Interactions.of([0], [0], n_users=shape[0], n_items=shape[1] + 1)
    teacher = np.arange(shape[0] * (shape[1] + 1)).reshape(shape[0], -1)
    model = Student(**SMALL, epochs=2).fit(log, teacher)
    assert np.isfinite(model.scores(np.arange(shape[0]))).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mixed_labels([1], [1.5], 0.5), "probability is 1.5 in row 0"),
        (lambda: mixed_labels([np.nan], [0.5], 0.5), "label is nan in row 0"),
        (lambda: mixed_labels([1, 0], [0.5], 0.5), "one of each for every row"),
        (lambda: mixed_labels([1], [0.5], 2), "weight is 2"),
        (lambda: standardized(np.ones((2, 3)), sparse.csr_matrix((3, 2))), "shape"),
        (lambda: standardized(np.full((1, 2), np.inf), sparse.csr_matrix((1, 2))), "not finite"),
        (lambda: teacher_scores([], sparse.csr_matrix((2, 2))), "no teacher"),
        (lambda: ranking_labels(np.ones((1, 2)), sparse.csr_matrix([[1, 0]]), 2), "User 0 has"),
        (lambda: ranking_labels(np.ones((1, 2)), sparse.csr_matrix((1, 2)), 0), "k is 0"),
        (lambda: ranking_labels(np.ones((1, 2)), sparse.csr_matrix((1, 2)), 1, 0.0), "decay"),
        (lambda: Student(temperature=0.0), "temperature is 0.0"),
        (lambda: Student(weight=1.1), "weight is 1.1"),
        (lambda: Student(features=0), "features is 0"),
        (lambda: Student(hidden=-1), "hidden is -1"),
        (lambda: Student(table_bits=5), "table_bits is 5; expected 8, 4 or None"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_teacher_of_other_users_or_items_is_refused(log, teacher):
    with pytest.raises(ValueError, match="EASE knows 41 users and 20 items; expected 3 and 4"):
        teacher_scores([EASE(l2=2.0).fit(log)], sparse.csr_matrix((3, 4)))
    with pytest.raises(ValueError, match=r"shape \(41, 19\)"):
        Student(**SMALL).fit(log, teacher[:, 1:])
    with pytest.raises(ValueError, match="not finite"):
        Student(**SMALL).fit(log, np.full(teacher.shape, np.nan))


def test_before_fit_the_way_on_is_shown():
    with pytest.raises(RuntimeError, match=r"call fit\(interactions\)"):
        Student().scores([0])


def test_divergence_is_an_error_and_not_a_model(log, teacher):
    with pytest.raises(FloatingPointError, match="lower it"):
        Student(**{**SMALL, "learning_rate": 1e38}, epochs=3).fit(log, teacher)


def test_a_field_model_learns_from_soft_labels_and_is_judged_on_hard_ones():
    rng = np.random.default_rng(0)
    ids = np.stack([rng.integers(4, size=400), 4 + rng.integers(4, size=400)], 1).astype(np.int32)
    probability = (0.2 + 0.6 * (ids[:, 0] == ids[:, 1] - 4)).astype(np.float32)
    rows = FieldRows(ids, (rng.random(400) < probability).astype(np.float32))
    soft = mixed_rows(rows, probability, weight=1.0)
    model = FieldModel("fm", 4, learning_rate=0.1, epochs=40, batch_size=64, progress=False)
    found = model.fit(soft).probability(ids)
    assert np.abs(found - probability).mean() < 0.05
    with pytest.raises(ValueError, match="expected 0 or 1"):
        model.refine(soft, 0.1, 1, validation=soft)
    with pytest.raises(ValueError, match="Label 2 in row 0; expected 0 to 1"):
        model.fit(FieldRows(ids[:1], np.float32([2])))
