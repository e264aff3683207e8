"""Candidates with several figures each: those that no other one beats in everything."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rsutils.training.search_space import check_direction


def pareto_front(table: pd.DataFrame, directions: Mapping[str, str]) -> pd.DataFrame:
    """The rows that no other row dominates, in their order.

    A row dominates another where it is as good in every figure and better in one (Deb et al. 2002,
    "A fast and elitist multiobjective genetic algorithm: NSGA-II", section III.A). Equal rows do
    not dominate each other.

    Args:
        table: a row a candidate, with a column for each figure.
        directions: ``"maximize"`` or ``"minimize"`` by figure.

    Raises:
        ValueError: a figure is no column, a direction is none, or a number is NaN.

    Example:
        >>> table = pd.DataFrame({"ndcg@10": [0.3, 0.2, 0.2], "bytes": [90, 40, 50]})
        >>> pareto_front(table, {"ndcg@10": "maximize", "bytes": "minimize"}).index.tolist()
        [0, 1]
    """
    check_directions(directions)
    missing = [name for name in directions if name not in table]
    if missing:
        raise ValueError(f"There is no column {missing[0]!r}; the table has {[*table]}.")
    costs = np.stack([_cost(table[name], way) for name, way in directions.items()], axis=1)
    if np.isnan(costs).any():
        raise ValueError("There are figures that are NaN; leave out the rows that failed.")
    dominated = [((costs <= own).all(1) & (costs < own).any(1)).any() for own in costs]
    return table[~np.array(dominated, bool)]


def check_directions(directions: Mapping[str, str]) -> None:
    """Refuse what says of no figure whether more of it is better.

    Raises:
        ValueError: there is no figure, or a direction is none.
    """
    if not directions:
        raise ValueError("directions is empty; expected figures to maximize or minimize.")
    for name, direction in directions.items():
        check_direction(f"directions[{name!r}]", direction)


def _cost(figures: pd.Series, direction: str) -> np.ndarray:
    values = figures.to_numpy(float)
    return values if direction == "minimize" else -values
