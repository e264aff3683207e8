"""Amazon Beauty as the authors of S3-Rec publish it: the last item of each user among all.

    python -m benchmarks.s3rec_beauty [--system NAME] [--tune] [--seed 0 1 2]

Learns from all but each user's last two items, as ``benchmarks.sasrec_ml1m`` does; histories are
short here, nine items in the mean, and items many. The published figure of SASRec with one negative
is table 2 of Zhou et al. 2020 (S3-Rec, arXiv:2008.07873); with the sampled softmax it gained half
as much again without any pre-training.
"""

from collections.abc import Sequence
from functools import partial

from benchmarks import next_item
from benchmarks.common import Benchmark

DATASET = "s3rec-beauty"
METRICS = ("recall", "ndcg")

SYSTEMS = {
    "sasrec": next_item.system("SASRec", {"length": 50}, {}),
}

BENCHMARK = Benchmark(
    "s3rec_beauty",
    DATASET,
    SYSTEMS,
    partial(next_item.test, DATASET, METRICS),
    partial(next_item.validation, DATASET, METRICS),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    BENCHMARK.run(arguments)


if __name__ == "__main__":
    main()
