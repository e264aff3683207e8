"""Renew what README.md shows of measured results: tables between markers, and the headline picture.

The tables come from committed measurements: ``notebooks/times.json`` (written with the notebooks'
outputs) and ``benchmarks/results/*.jsonl``. With ``--picture`` the rows of the last ``make course``
are committed, and the headline is drawn from those of the capstone.
"""

import argparse
import json
import re

import pandas as pd

from rsutils import settings
from rsutils.course.lessons import NOTEBOOKS, find_lessons
from rsutils.course.whole_ledger import keep_ledger, whole_ledger
from rsutils.measure.results import RESULTS, benchmark_table

README = settings.REPOSITORY / "README.md"
HEADLINE = NOTEBOOKS / "headline.png"
METRICS = {
    "hr@10": "HR@10",
    "ndcg@10": "NDCG@10",
    "recall@10": "Recall@10",
    "auc": "AUC",
    "log_loss": "log loss",
    "speedup": "speed-up",
    "speedup_32": "speed-up, 32 at once",
    "loss_ratio": "loss ratio",
    "ms_without": "ms a step without",
    "ms_with": "ms a step with",
    "efficiency": "efficiency",
    "of_ceiling": "of ceiling",
    "held_out_error": "error of the prediction",
    "loss": "loss",
    "bytes_ratio": "bytes / fp32",
    "zipped_ratio": "zipped / fp32",
    "tables_ratio": "tables / fp32",
    "p50_ratio": "ms / fp32",
    "p50_ratio_all_items": "ms / fp32, all items",
    "top10_overlap": "top 10 shared",
    "overhead_ms": "ms that HTTP adds",
    "engine_ms": "ms of the bare call",
}
"""What a benchmark may measure, and how a table heads it."""
COSTS = {
    "seconds": "seconds",
    "peak_mb": "peak MB",
    "ms_in_exchange": "ms in exchange",
    "kb_sent": "kB sent",
    "queries_per_second": "queries / s",
    "build_seconds": "seconds to build",
    "rps": "requests / s",
}
"""What a benchmark may note beside it."""
WHOLE = {"peak_mb", "kb_sent", "queries_per_second", "rps"}
"""Of these, which are shown without a fraction."""


def lesson_table() -> str:
    """A row a lesson: its promise and its measured seconds."""
    times = json.loads((NOTEBOOKS / "times.json").read_text(encoding="utf-8"))
    rows = ["| lesson | what it does | seconds |", "|---|---|---|"]
    for lesson in find_lessons():
        first = lesson.read().cells[0].source
        title = first.splitlines()[0].removeprefix("# ")
        promise = re.search(r"^\*([^*].*)\*$", first, re.MULTILINE).group(1)
        rows.append(
            f"| [{title}](notebooks/{lesson.path.name}) | {promise} | {times[lesson.name]} |"
        )
    return "\n".join(rows)


def result_table(name: str) -> str:
    """A row a system: what was measured, what was published, runs, seconds, memory."""
    table = benchmark_table(name)
    metrics = [metric for metric in METRICS if metric in table]
    costs = [cost for cost in COSTS if cost in table]
    heads = [METRICS[metric] for metric in metrics]
    columns = ("system", *heads, "published", "runs", *(COSTS[cost] for cost in costs))
    shown = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for system, row in table.iterrows():
        published = row.published or {}
        cited = " / ".join(f"{published[metric]:.4f}" for metric in metrics if metric in published)
        quality = " | ".join("" if pd.isna(row[m]) else f"{row[m]:.4f}" for m in metrics)
        cost = [f"{row[cost]:.{int(cost not in WHOLE)}f}" for cost in costs]
        shown.append(f"| {' | '.join([system, quality, cited, str(row.seeds), *cost])} |")
    return "\n".join(shown)


def renewed(text: str) -> str:
    """README with every generated block replaced."""
    blocks = {"lessons": lesson_table()}
    blocks |= {path.stem: result_table(path.stem) for path in sorted(RESULTS.glob("*.jsonl"))}
    for name, table in blocks.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, found = re.subn(pattern, lambda m, t=table: m[1] + t + "\n" + m[2], text, flags=re.S)
        if found != 1:
            raise SystemExit(f"README.md has {found} blocks <!-- {name} -->; expected 1")
    return text


def draw_headline() -> None:
    """Quality against three costs: the systems of the capstone."""
    from rsutils.course import plots

    rows = whole_ledger().query("lesson == '24' and bytes > 0")
    rows = rows.assign(kilobytes=rows.bytes / 1000)
    costs = {
        "kilobytes": "kB to load",
        "p50_ms": "milliseconds for one user's ten",
        "train_seconds": "seconds to train, 2 cores",
    }
    plots.use_style()
    popularity = rows.set_index("system").loc["popularity", "ndcg@10"]
    figure = plots.pareto(rows, "ndcg@10", costs, reference=popularity)
    figure.axes[0].set_ylabel("NDCG@10, all items ranked")
    figure.savefig(HEADLINE, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--picture", action="store_true", help="keep the ledger and draw the headline from it, too"
    )
    if parser.parse_args().picture:
        keep_ledger()
        draw_headline()
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
