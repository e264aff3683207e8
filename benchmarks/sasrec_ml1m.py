"""MovieLens-1M as SASRec's authors publish it, for models of sequences: the last item among all.

    python -m benchmarks.sasrec_ml1m [--system NAME] [--tune] [--seed 0 1 2]

Learns from all but each user's last two items; the last but one, the validation items, stop the
training and choose settings. For the test on the last item a model is shown the history up to it,
the last but one included, and learns nothing more. Items that a user already has are no candidates.
``benchmarks.ml1m_full`` has the models without order on the same test items; they learn from the
validation items too.

SASRec's own table (Kang and McAuley 2018) ranks among 100 sampled items and cannot be compared. The
published figures are replications on this file, over all items: SASRec with one negative and
BERT4Rec as table 4 of Petrov and Macdonald 2023 (gSASRec, arXiv:2308.07192) has them, SASRec with
the full softmax from Klenitskiy and Vasilev 2023 (arXiv:2309.07602).
"""

from benchmarks import next_item

DATASET = "sasrec-ml-1m"
METRICS = ("hr", "ndcg")
GSASREC = "Petrov and Macdonald 2023, gSASRec"
DROSS = "Klenitskiy and Vasilev 2023, Turning dross into gold loss"


def published(hr: float, ndcg: float, source: str) -> dict[str, object]:
    """A row of another source."""
    return {"hr@10": hr, "ndcg@10": ndcg, "source": source}


SYSTEMS = {
    "sasrec_one_negative": next_item.system(
        "SASRec",
        {"loss": "one_negative", "batch_size": 32, "epochs": 60},
        {},
        published(0.2500, 0.1341, GSASREC),
    ),
    "sasrec": next_item.system(
        "SASRec",
        {"loss": "full_softmax", "dropout": 0.1, "batch_size": 32, "epochs": 40},
        {"dropout": (0.1, 0.2)},
        published(0.3152, 0.1821, DROSS + ": full softmax"),
    ),
    "bert4rec": next_item.system(
        "BERT4Rec",
        {"batch_size": 32, "epochs": 200},
        {},
        published(0.2843, 0.1537, GSASREC),
    ),
}

BENCHMARK = next_item.benchmark("sasrec_ml1m", DATASET, METRICS, SYSTEMS)

main = BENCHMARK.run

if __name__ == "__main__":
    main()
