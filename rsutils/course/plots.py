"""Pictures that several lessons draw, in one style that also works without colour vision."""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from rsutils.training.pareto import pareto_front

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#aa4499", "#7f7f7f"
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, PURPLE, GREY]),
    "axes.titlelocation": "left",
    "figure.dpi": 90,
    "figure.figsize": (7, 3.6),
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "legend.frameon": False,
    "savefig.bbox": "tight",
}


def use_style() -> None:
    """Draw everything that follows in the course's style."""
    plt.rcParams.update(STYLE)


def intervals(
    results: Mapping[str, tuple[float, float, float]], label: str, axes: Axes | None = None
) -> Axes:
    """A dot with its interval for each system, the best on top.

    Args:
        results: ``{system: (mean, low, high)}``.
        label: what the axis measures.
        axes: where to draw; a new figure where None is given.

    Raises:
        ValueError: there is nothing to draw.

    Example:
        >>> axes = intervals({"ease": (0.3, 0.28, 0.32), "popularity": (0.1, 0.09, 0.11)}, "hr@10")
        >>> [text.get_text() for text in axes.get_yticklabels()]
        ['popularity', 'ease']
    """
    if not results:
        raise ValueError("There are no results to draw; expected {system: (mean, low, high)}.")
    ordered = dict(sorted(results.items(), key=lambda pair: pair[1][0]))
    mean, low, high = np.array(list(ordered.values())).T
    if axes is None:
        axes = plt.subplots(figsize=(7, 0.8 + 0.42 * len(ordered)))[1]
    places = np.arange(len(ordered))
    axes.errorbar(mean, places, xerr=[mean - low, high - mean], fmt="o", capsize=4, color=BLUE)
    for place, value, edge in zip(places, mean, high, strict=True):
        axes.annotate(
            f"{value:.3f}", (edge, place), (6, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(places, list(ordered))
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xlim(0, high.max() * 1.15)
    axes.set_xlabel(label)
    return axes


def long_tail(counts: np.ndarray, axes: Axes | None = None) -> Axes:
    """Interactions an item, most popular first, and the share that the top tenth takes.

    Args:
        counts: (n_items,) interactions of each item.
        axes: where to draw; a new figure where None is given.

    Example:
        >>> long_tail(np.array([5, 1, 4])).get_ylabel()
        'interactions'
    """
    ordered = np.sort(counts)[::-1]
    top = max(1, len(ordered) // 10)
    share = ordered[:top].sum() / max(1, ordered.sum())
    axes = plt.subplots()[1] if axes is None else axes
    axes.plot(np.arange(1, len(ordered) + 1), ordered, color=BLUE)
    axes.fill_between(np.arange(1, top + 1), ordered[:top], color=ORANGE, alpha=0.35, linewidth=0)
    axes.annotate(
        f"the top tenth of the items\ntakes {share:.0%} of the interactions",
        (top, ordered[top - 1]),
        (25, 25),
        textcoords="offset points",
        color=ORANGE,
        arrowprops={"arrowstyle": "-", "color": ORANGE},
    )
    axes.set(xlabel="items, most popular first", ylabel="interactions", ylim=(0, None))
    return axes


def quality_against_cost(
    rows: pd.DataFrame, quality: str, cost: str, label: str, axes: Axes | None = None
) -> Axes:
    """Each system as a point: quality upwards, cost to the right on a logarithmic scale.

    Args:
        rows: columns ``system``, ``quality`` and ``cost``.
        quality: name of the quality column; larger is better.
        cost: name of the cost column; smaller is better, above 0.
        label: what the cost axis measures, with its unit.
        axes: where to draw; a new figure where None is given.

    Raises:
        KeyError: a column is missing.

    Example:
        >>> rows = pd.DataFrame({"system": ["a"], "ndcg@10": [0.2], "bytes": [1000.0]})
        >>> quality_against_cost(rows, "ndcg@10", "bytes", "bytes on disk").get_xscale()
        'log'
    """
    axes = plt.subplots()[1] if axes is None else axes
    axes.scatter(rows[cost], rows[quality], color=BLUE, zorder=3)
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set(xlabel=label, ylabel=quality, ylim=(0, 1.2 * rows[quality].max()))
    if rows[cost].max() < 30 * rows[cost].min():
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
    _name_points(axes, rows[[cost, quality]].to_numpy(), rows["system"])
    return axes


def pareto(
    rows: pd.DataFrame, quality: str, costs: Mapping[str, str], reference: float | None = None
) -> Figure:
    """Quality against each cost side by side, the Pareto front as steps, the rest in grey.

    Args:
        rows: columns ``system``, ``quality`` and each of ``costs``.
        quality: name of the quality column; larger is better.
        costs: by column, what its axis measures, with its unit; smaller is better, above 0.
        reference: a quality to draw as a dotted line.

    Raises:
        KeyError: a column is missing.
        ValueError: a figure is NaN.

    Example:
        >>> rows = pd.DataFrame(
        ...     {"system": ["a", "b"], "ndcg@10": [0.2, 0.3], "bytes": [9.0, 99.0]}
        ... )
        >>> len(pareto(rows, "ndcg@10", {"bytes": "bytes on disk"}).axes)
        1
    """
    size = (1 + 4.4 * len(costs), 4.6)
    figure, (panels,) = plt.subplots(1, len(costs), figsize=size, sharey=True, squeeze=False)
    for axes, (cost, label) in zip(panels, costs.items(), strict=True):
        quality_against_cost(rows, quality, cost, label, axes)
        front = pareto_front(rows, {quality: "maximize", cost: "minimize"}).sort_values(cost)
        best = front.system.tolist()
        axes.collections[0].set_color(GREY)
        axes.step(front[cost], front[quality], where="post", color=ORANGE, linewidth=1.5)
        axes.plot(front[cost], front[quality], "o", color=ORANGE, zorder=4)
        for name in axes.texts:
            on_front = name.get_text() in best
            weight = "bold" if on_front else "normal"
            name.set(color="black" if on_front else GREY, fontweight=weight, fontsize=9)
        if reference is not None:
            axes.axhline(reference, color=GREY, linestyle=":", linewidth=1)
        axes.label_outer()
    return figure


PLACES = [
    *((7, 5, "left"), (7, -14, "left"), (-7, 5, "right"), (-7, -14, "right")),
    *((0, 16, "center"), (0, -25, "center")),
]
"""Where a point's name may stand, in points from it, best first."""


def _name_points(axes: Axes, points: np.ndarray, names: Iterable[str]) -> None:
    """Write each name beside its point, where it covers neither a name nor a point if it can."""
    axes.figure.draw_without_rendering()
    taken = [
        Bbox.from_extents(x - 4, y - 4, x + 4, y + 4) for x, y in axes.transData.transform(points)
    ]
    for point, name in zip(points, names, strict=True):
        boxes = []
        for x, y, side in PLACES:
            text = axes.annotate(name, point, (x, y), textcoords="offset points", ha=side)
            boxes.append(text.get_window_extent())
            if not boxes[-1].count_overlaps(taken):
                break
            text.remove()
        else:
            x, y, side = PLACES[int(np.argmin([box.count_overlaps(taken) for box in boxes]))]
            text = axes.annotate(name, point, (x, y), textcoords="offset points", ha=side)
        taken.append(text.get_window_extent())
