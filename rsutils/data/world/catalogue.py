"""The films: latent factors, attributes, popularity, series, and which film leads to which.

Factors of film i, with genre centres g, its director's style s and an own part, all normal::

    w_i = .6 mean(g of its genres) + .5 s + .5 own        columns standardised over films

Exposure is ∝ (rank_i + shift)^-s (Zipf-Mandelbrot), where the rank orders quality plus luck: good
films are shown more often, but not only good ones. A quarter of the films appear during the log.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rsutils.data.world import words
from rsutils.data.world.config import WorldConfig

N_DIRECTORS, N_ACTORS, CAST = 180, 400, 3
N_RELATED = 8
SERIES_LENGTHS, SERIES_ODDS = (1, 2, 3, 4), (0.80, 0.10, 0.07, 0.03)
LATE_SHARE = 0.25
MINUTES_A_WEEK = 7 * 24 * 60
GENRE_NAMES = tuple(words.GENRES)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Everything about the films; row i of every array and table is film i.

    Attributes:
        items: title, year, genres, director, actors, series, part, place, theme, synopsis.
        factors: (n_items, n_factors) float32, latent.
        quality: (n_items,) float32, standard normal, latent.
        popularity: (n_items,) float32, share of exposure before novelty.
        released: (n_items,) int32, minute at which the film appears; 0: it was there.
        related: (n_items, 8) int16, films shown after film i.
        related_share: (n_items, 8) float32, how often each; a row sums to 1.
    """

    items: pd.DataFrame
    factors: np.ndarray
    quality: np.ndarray
    popularity: np.ndarray
    released: np.ndarray
    related: np.ndarray
    related_share: np.ndarray


def make_catalogue(config: WorldConfig) -> Catalogue:
    """Draw the films of ``config``.

    Example:
        >>> catalogue = make_catalogue(WorldConfig(n_items=700))
        >>> catalogue.factors.shape, len(catalogue.items)
        ((700, 10), 700)
    """
    rng = np.random.default_rng([config.seed, 1])
    items = _series(config, rng)
    factors = _factors(items, config, rng)
    quality = rng.standard_normal(config.n_items)
    popularity = _popularity(items, quality, config, rng)
    late = (items["year"] >= 2020).to_numpy()
    week = rng.integers(1, config.days // 7, config.n_items)
    released = np.where(late, week * MINUTES_A_WEEK, 0)
    related, share = _related(items, factors)
    return Catalogue(
        items=_describe(items, factors, rng),
        factors=factors.astype(np.float32),
        quality=quality.astype(np.float32),
        popularity=popularity.astype(np.float32),
        released=released.astype(np.int32),
        related=related,
        related_share=share,
    )


def _series(config: WorldConfig, rng: np.random.Generator) -> pd.DataFrame:
    """One row a film: its series and part, director, genres and year, drawn series by series."""
    home = rng.integers(0, len(GENRE_NAMES), N_DIRECTORS)
    productive = rng.dirichlet(np.full(N_DIRECTORS, 0.6))
    rows: list[dict[str, object]] = []
    series = 0
    while len(rows) < config.n_items:
        director = int(rng.choice(N_DIRECTORS, p=productive))
        length = int(rng.choice(SERIES_LENGTHS, p=SERIES_ODDS))
        lead = int(home[director]) if rng.random() < 0.7 else int(rng.integers(len(GENRE_NAMES)))
        others = [int(g) for g in rng.integers(0, len(GENRE_NAMES), 2) if g != lead]
        genres = [lead, *dict.fromkeys(others[: int(rng.integers(0, 3))])]
        late = rng.random() < LATE_SHARE
        year = 2020 if late else int(2019 - min(69, rng.exponential(15.0)))
        for part in range(1, length + 1):
            film = {"director": director, "genres": genres, "year": year + part - 1}
            film |= {"series": series if length > 1 else -1, "part": part}
            rows.append(film)
        series += length > 1
    items = pd.DataFrame(rows[: config.n_items])
    items["year"] = items["year"].clip(upper=2021)
    return items


def _factors(items: pd.DataFrame, config: WorldConfig, rng: np.random.Generator) -> np.ndarray:
    """Latent factors: genre, director and an own part, which parts of a series share."""
    d = config.n_factors
    genre_centre = rng.standard_normal((len(GENRE_NAMES), d))
    style = rng.standard_normal((N_DIRECTORS, d))
    own = rng.standard_normal((config.n_items, d))
    shared = rng.standard_normal((items["series"].max() + 1, d))
    in_series = (items["series"] >= 0).to_numpy()
    own[in_series] = 0.5 * own[in_series] + 0.85 * shared[items["series"][in_series]]
    genre = np.stack([genre_centre[genres].mean(axis=0) for genres in items["genres"]])
    mixed = 0.6 * genre + 0.5 * style[items["director"]] + 0.5 * own
    return np.round((mixed - mixed.mean(axis=0)) / mixed.std(axis=0), 4)


def _popularity(
    items: pd.DataFrame, quality: np.ndarray, config: WorldConfig, rng: np.random.Generator
) -> np.ndarray:
    """Zipf-Mandelbrot shares of exposure: by quality, luck, and first parts before later ones."""
    fame = 0.6 * quality + rng.standard_normal(config.n_items) - 0.3 * (items["part"] - 1)
    rank = np.empty(config.n_items)
    rank[np.argsort(-fame.to_numpy(), kind="stable")] = np.arange(config.n_items)
    shown = (rank + config.popularity_shift) ** -config.popularity_exponent
    return shown / shown.sum()


def _related(items: pd.DataFrame, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is shown next to a film: the next part (6 shares), its director's and the nearest."""
    n = len(items)
    unit = factors / np.linalg.norm(factors, axis=1, keepdims=True)
    closeness = unit @ unit.T
    np.fill_diagonal(closeness, -np.inf)
    nearest = np.argsort(-closeness, axis=1, kind="stable")
    series, part = items["series"].to_numpy(), items["part"].to_numpy()
    director = items["director"].to_numpy()
    related = np.empty((n, N_RELATED), np.int16)
    share = np.ones((n, N_RELATED))
    for i in range(n):
        same = nearest[i][director[nearest[i]] == director[i]]
        sequel = np.flatnonzero((series == series[i]) & (part == part[i] + 1) & (series >= 0))
        order = list(dict.fromkeys([*sequel, *same[:3], *nearest[i]]))[:N_RELATED]
        related[i] = order
        if len(sequel):
            share[i, 0] = 6.0
    return related, (share / share.sum(axis=1, keepdims=True)).astype(np.float32)


def _describe(items: pd.DataFrame, factors: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Put names and words to the films."""
    names = words.invented_names(rng, N_DIRECTORS + N_ACTORS)
    troupe = rng.integers(0, N_ACTORS, (N_DIRECTORS, 8))
    places = tuple(words.PLACES)
    taken: set[str] = set()
    series_title: dict[int, str] = {}
    rows = []
    for i, film in enumerate(items.itertuples()):
        genres = [GENRE_NAMES[g] for g in film.genres]
        name = series_title.get(film.series)
        while name is None or (name in taken and film.series not in series_title):
            name = words.title(rng, genres[0])
        taken.add(name)
        if film.series >= 0:
            series_title[film.series] = name
        cast = rng.choice(np.unique(troupe[film.director]), CAST, replace=False)
        place = places[rng.integers(len(places))]
        rows.append(
            {
                "title": name if film.part == 1 else f"{name}, Part {film.part}",
                "year": film.year,
                "genres": "|".join(genres),
                "director": names[film.director],
                "actors": "|".join(names[N_DIRECTORS + a] for a in cast),
                "series": film.series,
                "part": film.part,
                "place": place,
                "theme": words.THEMES[rng.integers(len(words.THEMES))],
                "synopsis": words.synopsis(rng, genres, factors[i], place),
            }
        )
    return pd.DataFrame(rows)


def knowledge_graph(items: pd.DataFrame) -> pd.DataFrame:
    """Triples (item, relation, entity) that say what the films' table says.

    Example:
        >>> films = make_catalogue(WorldConfig(n_items=700)).items
        >>> knowledge_graph(films).columns.tolist()
        ['item', 'relation', 'entity']
    """
    triples: list[tuple[int, str, str]] = []
    first: dict[int, str] = {}
    for i, film in enumerate(items.itertuples()):
        triples += [(i, "has_genre", genre) for genre in film.genres.split("|")]
        triples += [(i, "directed_by", film.director)]
        triples += [(i, "starring", actor) for actor in film.actors.split("|")]
        triples += [(i, "set_in", film.place), (i, "about", film.theme)]
        if film.series >= 0:
            triples.append((i, "part_of", first.setdefault(film.series, film.title)))
    return pd.DataFrame(triples, columns=["item", "relation", "entity"])
