"""Amazon Beauty as S3-Rec's authors publish it: short histories, the last item among all.

    python -m benchmarks.s3rec_beauty [--system NAME] [--tune] [--seed 0 1 2]

Half of the users have six items or fewer, among 12,101. Learns from all but each user's last two
items; the last but one, the validation items, stop the training and choose settings. For the test
on the last item a model is shown the history up to it and learns nothing more. Items that a user
already has are no candidates. With one right item a user, Recall@10 is HR@10.

The published figure is that of SASRec, trained with one negative, in the full ranking of S3-Rec's
authors (Zhou et al. 2020, "S3-Rec: self-supervised learning for sequential recommendation with
mutual information maximization", CIKM, and its published code).
"""

from benchmarks import next_item

DATASET = "s3rec-beauty"
METRICS = ("recall", "ndcg")
ONE_NEGATIVE = {
    "recall@10": 0.0605,
    "ndcg@10": 0.0318,
    "source": "Zhou et al. 2020, S3-Rec: SASRec with one negative",
}

SYSTEMS = {
    "sasrec": next_item.system(
        "SASRec",
        {
            "loss": "sampled_softmax",
            "negatives": 2048,
            "length": 50,
            "dropout": 0.5,
            "batch_size": 128,
            "epochs": 40,
        },
        {"dropout": (0.2, 0.5)},
        ONE_NEGATIVE,
    ),
}

BENCHMARK = next_item.benchmark("s3rec_beauty", DATASET, METRICS, SYSTEMS)

main = BENCHMARK.run

if __name__ == "__main__":
    main()
