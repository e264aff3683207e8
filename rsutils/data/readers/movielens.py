"""GroupLens' layouts of MovieLens 100K and 1M.

Titles are in latin-1. Source: the README in each archive; Harper and Konstan, The MovieLens
Datasets, ACM TiiS 5(4), 2015, doi:10.1145/2827872.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from rsutils.data.dataset import Dataset
from rsutils.data.interactions import Interactions
from rsutils.data.readers.text import read_table, refuse_gaps, refuse_outside

RATING = {"user": int, "item": int, "rating": int, "timestamp": int}
GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
OCCUPATIONS = (
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)
"""MovieLens 1M writes an occupation as its place in this list."""


def read_ml_100k(folder: Path) -> Dataset:
    """Read ``u.data``, ``u.item`` and ``u.user``; users and items keep their order of id.

    Raises:
        ValueError: a line is malformed or an id unknown.
        FileNotFoundError: a file is missing.
    """
    ratings = _ratings(folder / "u.data", "\t")
    path = folder / "u.item"
    columns = {"item": int, "title": str, "released": str, "video": str, "url": str}
    movies = read_table(
        path,
        columns | dict.fromkeys(GENRES, int),
        line=r"\d+(\|[^|]*){4}(\|[01]){19}",
        expected="id, title, two dates and URL, then 19 genre flags, separated by |",
        separators=("|",),
        encoding="latin-1",
    )
    refuse_gaps(path, movies["item"], "movie")
    flags = movies[list(GENRES)].to_numpy(bool)
    genres = [tuple(np.array(GENRES)[row]) for row in flags]

    path = folder / "u.user"
    users = read_table(
        path,
        {"user": int, "age": int, "gender": str, "occupation": str, "zip_code": str},
        line=r"\d+\|\d+\|[MF]\|[^|]+\|[^|]+",
        expected="id, age, M or F, occupation and zip code, separated by |",
        separators=("|",),
    )
    refuse_gaps(path, users["user"], "user")
    refuse_outside(folder / "u.data", ratings["user"], 1, len(users), "user")
    refuse_outside(folder / "u.data", ratings["item"], 1, len(movies), "movie")
    return Dataset(
        name="ml-100k",
        interactions=_interactions(ratings["user"] - 1, ratings["item"] - 1, ratings),
        items=_films(movies["title"], genres),
        users=users.drop(columns="user"),
    )


def read_ml_1m(folder: Path) -> Dataset:
    """Read ``ratings.dat``, ``movies.dat`` and ``users.dat``.

    Items are the rated movies, in order of their id, which stays in the column ``movie_id``;
    movies that nobody rated are left out. Age is the lower end of the source's seven groups.

    Raises:
        ValueError: a line is malformed or an id unknown.
        FileNotFoundError: a file is missing.
    """
    ratings = _ratings(folder / "ratings.dat", "::")
    movies = read_table(
        folder / "movies.dat",
        {"item": int, "title": str, "genres": str},
        line=r"\d+::.+::[^:]+",
        expected="movie id, title and genres, separated by ::",
        separators=("::",),
        encoding="latin-1",
    ).set_index("item")
    path = folder / "users.dat"
    users = read_table(
        path,
        {"user": int, "gender": str, "age": int, "occupation": int, "zip_code": str},
        line=r"\d+::[MF]::\d+::\d+::.+",
        expected="user id, M or F, age, occupation and zip code, separated by ::",
        separators=("::",),
    )
    refuse_gaps(path, users["user"], "user")
    refuse_outside(path, users["occupation"], 0, len(OCCUPATIONS) - 1, "occupation")
    refuse_outside(folder / "ratings.dat", ratings["user"], 1, len(users), "user")
    movie_ids, item = np.unique(ratings["item"], return_inverse=True)
    if unknown := set(movie_ids) - set(movies.index):
        raise ValueError(
            f"{folder / 'movies.dat'}: no line for movie {min(unknown)}, which is rated."
        )
    rated = movies.loc[movie_ids]
    items = _films(rated["title"], [tuple(names.split("|")) for names in rated["genres"]])
    return Dataset(
        name="ml-1m",
        interactions=_interactions(ratings["user"] - 1, item, ratings),
        items=items.assign(movie_id=movie_ids),
        users=users.assign(occupation=np.array(OCCUPATIONS)[users["occupation"]])[
            ["age", "gender", "occupation", "zip_code"]
        ],
    )


def _ratings(path: Path, separator: str) -> pd.DataFrame:
    ratings = read_table(
        path,
        RATING,
        line=separator.join([r"\d+"] * 4),
        expected=f"user, item, rating and timestamp, separated by {separator!r}",
        separators=(separator,),
    )
    refuse_outside(path, ratings["rating"], 1, 5, "rating")
    return ratings


def _interactions(user: pd.Series, item: np.ndarray, ratings: pd.DataFrame) -> Interactions:
    return Interactions.of(
        user=user, item=item, rating=ratings["rating"], timestamp=ratings["timestamp"]
    )


def _films(title: pd.Series, genres: list[tuple[str, ...]]) -> pd.DataFrame:
    """Title without its year, year (missing where the source has none) and genres."""
    parts = title.str.extract(r"^(?P<title>.*?)\s*(?:\((?P<year>\d{4})[^)]*\)\s*(?:\(V\))?)?\s*$")
    return pd.DataFrame(
        {
            "title": parts["title"].array,
            "year": pd.to_numeric(parts["year"]).astype("Int64").array,
            "genres": genres,
        }
    )
