"""What each lesson claims, as bounds on the rows it writes; the trivial baseline fails them.

A claim takes ``{system: row}``. The popularity score that models are held against is measured by
the test itself on the same split, so that no claim rests on a number typed here.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from rsutils import data, evaluate, parallel
from rsutils.models import Popularity

Rows = dict[str, dict]
Claim = Callable[[Rows], None]


@cache
def popularity(dataset: str) -> evaluate.Report:
    split = data.leave_last_out(data.load(dataset).interactions)
    known = split.before_test
    return evaluate.full_ranking(Popularity().fit(known), split.test, exclude=known)


def beats_popularity(system: str, factor: float) -> Claim:
    """NDCG@10 of ``system`` is at least ``factor`` times popularity's on the same users."""

    def claim(rows: Rows) -> None:
        row = rows[system]
        assert row["ndcg@10"] >= factor * popularity(row["dataset"])["ndcg@10"], row

    return claim


def int8_is_a_quarter_and_as_good(rows: Rows) -> None:
    fp32, int8 = rows["softmax_cf"], rows["softmax_cf_int8"]
    assert int8["bytes"] < 0.3 * fp32["bytes"]
    assert int8["ndcg@10"] > 0.97 * fp32["ndcg@10"]


def popularity_is_the_lowest(rows: Rows) -> None:
    row = rows["popularity"]
    assert row["ndcg@10"] == popularity(row["dataset"])["ndcg@10"]
    low, high = row["ndcg@10_interval"]
    assert low < row["ndcg@10"] < high


@cache
def auc_of_popularity(dataset: str, users: int) -> float:
    """Pooled AUC of popularity over the last item and two drawn ones of the first ``users``."""
    found = data.load(dataset)
    split = data.leave_last_out(found.interactions.take(found.interactions.user < users))
    rows = data.field_dataset(found, split, [], negatives=2, seed=0).test
    count = np.bincount(split.train.item, minlength=split.train.n_items)
    return evaluate.auc(rows.label, count[rows.features[:, 1] - split.train.n_users])


def orders_better_than_popularity(system: str, factor: float) -> Claim:
    """``system`` leaves at most ``factor`` times as many pairs of rows in the wrong order."""

    def claim(rows: Rows) -> None:
        row = rows[system]
        low, high = row["auc_interval"]
        assert low < row["auc"] < high
        baseline = auc_of_popularity(row["dataset"], row["users"])
        assert 1 - row["auc"] <= factor * (1 - baseline), row
        # Two of three rows have label 0: who always says one third has a log loss of 0.6365.
        assert row["log_loss"] < 0.56, row

    return claim


def every_row_says_what_it_cost(*names: str) -> Claim:
    def claim(rows: Rows) -> None:
        for row in rows.values():
            assert all(row[name] > 0 for name in names), row

    return claim


def factors_multiplied_beat_factors_side_by_side(rows: Rows) -> None:
    """What hidden layers have to learn, GMF is given (lesson 03)."""
    assert rows["gmf"]["ndcg@10"] > 1.1 * rows["dnn"]["ndcg@10"]


def reading_the_history_beats_reading_two_ids(rows: Rows) -> None:
    """CDAE against NeuMF (lesson 03)."""
    assert rows["cdae"]["ndcg@10"] > 1.05 * rows["neumf"]["ndcg@10"]


def all_items_beat_one_negative(rows: Rows) -> None:
    """The loss alone, with the same network (lesson 05)."""
    assert rows["sasrec"]["ndcg@10"] > 1.15 * rows["sasrec_one_negative"]["ndcg@10"]


def what_was_pre_trained_is_worth_having(rows: Rows) -> None:
    scratch = rows["second_shop_from_scratch"]["ndcg@10"]
    assert rows["second_shop_fine_tuned"]["ndcg@10"] > 1.4 * scratch
    assert rows["second_shop_lora"]["ndcg@10"] > 1.4 * scratch


def text_finds_new_items(rows: Rows) -> None:
    """MovieLens has genres and years only: too little text to claim anything there."""
    row = rows["new_items_by_text"]
    if row["dataset"] == "demo":
        assert row["hr@10"] > 1.8 * 10 / row["items"]


def fast_training_learns_as_much(rows: Rows) -> None:
    """Both runs end at the same loss, well below chance's log 2 (lesson 06)."""
    obvious, fastest = (rows[name]["validation_loss"] for name in ("obvious", "fastest"))
    assert fastest < 1.05 * obvious < 0.8 * np.log(2)


def one_probability_for_all() -> float:
    """The loss of the share of observed pairs, one beside four drawn ones, as everyone's chance."""
    share = 1 / 5
    return -(share * np.log(share) + (1 - share) * np.log(1 - share))


def two_workers_learn_what_one_learns(rows: Rows) -> None:
    """The same weights up to rounding, and better than one probability for all rows."""
    one, two = rows["one_worker"], rows["two_workers"]
    assert two["workers"] == 2
    assert two["largest_difference"] < 1e-3
    assert abs(two["validation_loss"] / one["validation_loss"] - 1) < 1e-3
    assert two["validation_loss"] < 0.97 * one_probability_for_all()


def sharded_tables_are_the_same_model_in_half_the_bytes(rows: Rows) -> None:
    whole, sharded = rows["whole_tables"], rows["sharded_by_row"]
    assert sharded["workers"] == 2
    assert sharded["largest_difference"] < 1e-4
    assert sharded["table_bytes"] < 0.51 * whole["table_bytes"]


def the_future_costs(rows: Rows) -> None:
    """Spark gives pandas' numbers; features of the whole log promise more than they keep."""
    honest, promised, kept = (
        rows[name] for name in ("known_at_the_moment", "whole_log_offline", "whole_log_served")
    )
    assert honest["spark"]
    assert (honest["workers"], honest["differing"]) == (2, 0)
    assert honest["auc"] > honest["popularity_auc"] + 0.01
    assert honest["auc"] > kept["auc"] + 0.005
    assert promised["auc"] > kept["auc"]


def a_killed_worker_costs_at_most_a_commit_interval(rows: Rows) -> None:
    undisturbed, killed = rows["undisturbed"], rows["worker_killed"]
    assert (undisturbed["resets"], killed["resets"]) == (0, 1)
    assert undisturbed["redone"] == 0
    assert killed["redone"] <= killed["commit_rows"]
    assert killed["missed"] <= 1
    assert abs(killed["validation_loss"] / undisturbed["validation_loss"] - 1) < 0.05
    assert killed["validation_loss"] < 0.97 * one_probability_for_all()


def zeros_save_bytes_when_zipped_and_trimming_saves_them_outright(rows: Rows) -> None:
    full, pruned, trimmed = rows["full"], rows["pruned_80"], rows["trimmed"]
    assert abs(pruned["bytes"] / full["bytes"] - 1) < 0.01
    assert pruned["zipped_bytes"] < 0.35 * full["zipped_bytes"]
    assert pruned["ndcg@10"] > 0.7 * full["ndcg@10"]
    assert trimmed["bytes"] < full["bytes"]
    assert trimmed["ndcg@10"] > 0.9 * full["ndcg@10"]


def fewer_bits_cost_little(rows: Rows) -> None:
    """A quarter of the bytes, then an eighth or so, and the order of rows stays (lesson 12)."""
    fp32 = rows["fp32"]
    for system in ("int8_dynamic", "int8_static", "litert_int8_dynamic", "qat_int8"):
        assert rows[system]["bytes"] <= 0.3 * fp32["bytes"], system
    assert rows["fp16"]["bytes"] <= 0.55 * fp32["bytes"]
    assert rows["int4_tables"]["bytes"] <= 0.75 * rows["int8_dynamic"]["bytes"]
    for system in ("fp16", "int8_dynamic", "int8_static", "litert_int8_dynamic"):
        assert abs(rows[system]["auc"] - fp32["auc"]) <= 0.005, system
    assert abs(rows["int4_tables"]["auc"] - fp32["auc"]) <= 0.01
    assert rows["qat_int8"]["auc"] >= fp32["auc"] - 0.01


def training_with_the_rounding_saves_kernels_of_two_bits(rows: Rows) -> None:
    after, aware = rows["kernels_2_bits_after"], rows["kernels_2_bits_aware"]
    assert aware["auc"] >= after["auc"] + 0.005
    assert aware["auc"] >= rows["fp32"]["auc"] - 0.03


def zeros_and_few_bits_go_together(rows: Rows) -> None:
    both = rows["pruned_int4_tables"]
    assert both["zipped_bytes"] <= 0.75 * rows["int4_tables"]["zipped_bytes"]
    assert both["zipped_bytes"] <= 0.12 * rows["fp32"]["zipped_bytes"]
    assert both["auc"] >= rows["fp32"]["auc"] - 0.02


def the_teacher_is_what_helps(rows: Rows) -> None:
    """The same network, passes and settings, on labels alone (lesson 13)."""
    assert rows["student"]["ndcg@10"] >= 1.1 * rows["student_on_labels"]["ndcg@10"]
    assert rows["student"]["ndcg@10"] >= 0.8 * rows["teacher"]["ndcg@10"]
    assert rows["student"]["bytes"] <= 0.2 * rows["teacher"]["bytes"]


def the_search_finds_a_small_file_that_is_about_as_good(rows: Rows) -> None:
    student, smallest = rows["student"], rows["smallest"]
    assert smallest["zipped_bytes"] <= 0.25 * student["zipped_bytes"]
    assert smallest["ndcg@10"] >= 0.92 * student["ndcg@10"]


def strangers_in_one_row_cost_more_than_short_rows(rows: Rows) -> None:
    assert rows["tables_hashed"]["ndcg@10"] <= 0.6 * rows["tables_low_rank"]["ndcg@10"]
    assert rows["tables_low_rank"]["ndcg@10"] <= rows["tables_full"]["ndcg@10"]


def two_tasks_share_a_table(rows: Rows) -> None:
    separate = rows["separate"]
    for kind in ("shared_bottom", "mmoe"):
        assert rows[kind]["parameters"] <= 0.6 * separate["parameters"], kind
        assert rows[kind]["auc_click"] >= max(separate["auc_click"] - 0.04, 0.65), kind
        assert rows[kind]["auc_like"] >= max(separate["auc_like"] - 0.04, 0.55), kind


def the_files_are_the_model(rows: Rows) -> None:
    """Three formats give Keras' lists and quality; few bits cost bytes, not quality (lesson 14)."""
    keras, onnx = rows["keras"], rows["onnx"]
    for system in ("saved_model", "onnx", "litert"):
        assert rows[system]["top10_identical"] >= 0.9, system
        assert rows[system]["largest_difference"] < 1e-3, system
        assert abs(rows[system]["ndcg@10"] - keras["ndcg@10"]) < 1e-3, system
    for system, share, kept in (
        ("onnx_int8", 0.35, 0.97),
        ("litert_int8", 0.35, 0.95),
        ("litert_fp16", 0.55, 0.98),
        ("onnx_int4", 0.22, 0.9),
    ):
        assert rows[system]["bytes"] <= share * onnx["bytes"], system
        assert rows[system]["ndcg@10"] >= kept * keras["ndcg@10"], system
    assert rows["onnx_trimmed"]["bytes"] < onnx["bytes"]
    assert rows["onnx_trimmed"]["ndcg@10"] >= 0.85 * keras["ndcg@10"]


def ranking_adds_to_retrieval_and_int8_keeps_it(rows: Rows) -> None:
    retrieval, whole, int8 = (rows[name] for name in ("retrieval", "two_stage", "two_stage_int8"))
    assert whole["ndcg@10"] >= 1.2 * retrieval["ndcg@10"]
    assert int8["ndcg@10"] >= 0.97 * whole["ndcg@10"]
    assert int8["bytes"] <= 0.35 * whole["bytes"]


def bandits_learn_what_greedy_never_hears_of(rows: Rows) -> None:
    """Regret against the best film for all; LinUCB is judged by its clicks."""
    thompson, greedy, uniform = (rows[name] for name in ("thompson", "greedy", "uniform"))
    assert thompson["regret_per_1000"] < 0.7 * greedy["regret_per_1000"]
    assert thompson["regret_per_1000"] < 0.5 * uniform["regret_per_1000"]
    assert rows["epsilon_greedy"]["regret_per_1000"] < uniform["regret_per_1000"]
    assert rows["linucb"]["clicks_per_1000"] > 1.4 * thompson["clicks_per_1000"]


def weights_correct_what_position_did(rows: Rows) -> None:
    weighed, naive = rows["inverse_propensity"], rows["click_rate"]
    assert weighed["mean_absolute_error"] < 0.7 * naive["mean_absolute_error"]


def users_are_the_unit_and_looking_has_a_price(rows: Rows) -> None:
    """Alarms where nothing differs, of which one in twenty is promised."""
    assert rows["drift_by_users"]["false_alarms"] < 0.12
    assert rows["drift_by_rows"]["false_alarms"] > 0.2
    found = rows["a_a_test"]
    assert found["by_users"] < 0.08
    assert found["by_visits"] > 0.15
    assert found["peeking"] > 0.13
    assert found["pocock"] < 0.08


def the_test_decides_as_the_truth_does(rows: Rows) -> None:
    row = rows["a_b_test"]
    low, _ = row["lift_interval"]
    assert low > 0
    assert row["true_lift"] > 0


def own_lists_narrow_and_chance_does_not(rows: Rows) -> None:
    own, chance = rows["loop_own_lists_only"], rows["loop_any_film"]
    assert own["coverage_last"] < 0.85 * own["coverage_first"]
    assert own["coverage_last"] < 0.85 * chance["coverage_last"]
    assert own["unseen_favourites_last"] > chance["unseen_favourites_last"]


def broken_releases_come_back_and_good_ones_stay(rows: Rows) -> None:
    assert rows["canary_other_films"]["rolled_back"] > 0.99
    assert rows["canary_other_films"]["bad_slates"] <= 100
    assert rows["canary_sorted_upside_down"]["rolled_back"] > 0.7
    assert rows["canary_nothing_changed"]["rolled_back"] < 0.06


def the_front_climbs_from_the_cheapest(rows: Rows) -> None:
    """Popularity costs least; each figure that the chart shows was measured for every system."""
    ladder = [row for row in rows.values() if "bytes" in row]
    assert min(ladder, key=lambda row: row["bytes"])["system"] == "popularity"
    assert len(ladder) == 11
    assert all(row["train_seconds"] > 0 and row["p50_ms"] > 0 for row in ladder)
    assert rows["popularity"]["on_front_of_bytes"] == 1.0
    assert rows["neighbours"]["on_front_of_bytes"] < 0.5
    fp32, int8 = rows["two_stage"], rows["two_stage_int8"]
    assert int8["bytes"] < fp32["bytes"]
    assert int8["ndcg@10"] > 0.97 * fp32["ndcg@10"]


def one_item_late_costs_a_ranker_most(rows: Rows) -> None:
    kept = {
        kind: rows[f"{kind}_late_by_1"]["ndcg@10"] / rows[f"{kind}_late_by_0"]["ndcg@10"]
        for kind in ("two_stages", "retrieval_alone")
    }
    assert kept["two_stages"] < 0.92
    assert kept["two_stages"] < kept["retrieval_alone"]


def reasons_are_tested_by_deletion(rows: Rows) -> None:
    named, random = rows["deleted_the_named_reason"], rows["deleted_a_random_item"]
    assert named["fell"] > 3 * random["fell"]
    assert named["fell_earlier"] < named["fell"]


def few_judges_find_lucky_winners(rows: Rows) -> None:
    luck = {
        row["users"]: row["optimism"]
        for name, row in rows.items()
        if name.startswith("optimism_systems")
    }
    assert luck[min(luck)] > 0.005
    assert luck[min(luck)] > 2 * luck[max(luck)]


def what_is_learnt_by_heart_is_not_found_again(rows: Rows) -> None:
    weakest, strongest = rows["ials_l2_0.001"], rows["ials_l2_0.1"]
    assert weakest["ndcg_by_heart"] > 2 * weakest["ndcg_test"]
    assert strongest["ndcg_by_heart"] < weakest["ndcg_by_heart"]


CLAIMS: dict[str, list[Claim]] = {
    "00": [
        beats_popularity("softmax_cf", 1.2),
        int8_is_a_quarter_and_as_good,
        every_row_says_what_it_cost("train_seconds", "bytes", "p50_ms", "p99_ms"),
    ],
    "01": [popularity_is_the_lowest, beats_popularity("neighbours", 1.1)],
    "02": [
        beats_popularity("ease", 1.4),
        beats_popularity("ials", 1.4),
        beats_popularity("softmax_sgd", 1.2),
        beats_popularity("softmax_cf", 1.2),
        every_row_says_what_it_cost("train_seconds"),
    ],
    "03": [
        beats_popularity("dnn", 1.05),
        beats_popularity("gmf", 1.2),
        beats_popularity("neumf", 1.2),
        beats_popularity("cdae", 1.4),
        factors_multiplied_beat_factors_side_by_side,
        reading_the_history_beats_reading_two_ids,
        every_row_says_what_it_cost("train_seconds"),
    ],
    "04": [
        orders_better_than_popularity("fm", 0.95),
        orders_better_than_popularity("deepfm", 0.98),
        orders_better_than_popularity("dnfm", 0.95),
        orders_better_than_popularity("dlrm", 0.95),
        every_row_says_what_it_cost("train_seconds"),
    ],
    "05": [
        beats_popularity("sasrec", 1.4),
        all_items_beat_one_negative,
        what_was_pre_trained_is_worth_having,
        text_finds_new_items,
    ],
    "06": [fast_training_learns_as_much, every_row_says_what_it_cost("examples_per_second")],
    "07": [two_workers_learn_what_one_learns],
    "08": [sharded_tables_are_the_same_model_in_half_the_bytes],
    "09": [the_future_costs],
    "10": [a_killed_worker_costs_at_most_a_commit_interval],
    "11": [
        beats_popularity("full", 1.05),
        beats_popularity("trimmed", 1.05),
        zeros_save_bytes_when_zipped_and_trimming_saves_them_outright,
        every_row_says_what_it_cost("bytes", "zipped_bytes", "p50_ms"),
    ],
    "12": [
        orders_better_than_popularity("fp32", 0.98),
        orders_better_than_popularity("int4_tables", 0.98),
        fewer_bits_cost_little,
        training_with_the_rounding_saves_kernels_of_two_bits,
        zeros_and_few_bits_go_together,
    ],
    "13": [
        beats_popularity("teacher", 1.4),
        beats_popularity("student", 1.4),
        beats_popularity("smallest", 1.3),
        the_teacher_is_what_helps,
        the_search_finds_a_small_file_that_is_about_as_good,
        strangers_in_one_row_cost_more_than_short_rows,
        two_tasks_share_a_table,
    ],
    "14": [
        beats_popularity("keras", 1.2),
        beats_popularity("onnx", 1.2),
        beats_popularity("onnx_int8", 1.2),
        the_files_are_the_model,
        every_row_says_what_it_cost("bytes", "p50_ms", "p99_ms"),
    ],
    "15": [
        beats_popularity("retrieval", 1.2),
        beats_popularity("two_stage", 1.6),
        ranking_adds_to_retrieval_and_int8_keeps_it,
    ],
    "16": [
        bandits_learn_what_greedy_never_hears_of,
        weights_correct_what_position_did,
        users_are_the_unit_and_looking_has_a_price,
        the_test_decides_as_the_truth_does,
        own_lists_narrow_and_chance_does_not,
        broken_releases_come_back_and_good_ones_stay,
    ],
    "24": [
        beats_popularity("two_stage", 1.6),
        beats_popularity("sasrec", 1.4),
        beats_popularity("last_item", 1.2),
        the_front_climbs_from_the_cheapest,
        one_item_late_costs_a_ranker_most,
        reasons_are_tested_by_deletion,
        few_judges_find_lucky_winners,
        what_is_learnt_by_heart_is_not_found_again,
    ],
}

NEEDS: dict[str, Callable[[], bool]] = {
    "07": lambda: parallel.can_run(2),
    "08": lambda: parallel.can_run(2),
    "09": lambda: parallel.can_run(2) and parallel.can_run_spark(),
    "10": lambda: parallel.can_run(2),
}
"""What a lesson's claims rest on beyond Python packages; without it the lesson runs, with less."""
