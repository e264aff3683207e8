"""Invented names, titles and synopses.

Names are two or three syllables drawn at random. A title is ``ADJECTIVE NOUN`` or ``The NOUN of
PLACE`` with a noun of the film's first genre. A synopsis is three clauses: a hero and a deed of the
film's genres, then the two tones on which the film's latent factors lie furthest from the middle.
So the words carry what the factors say, beyond what the genres say.
"""

import numpy as np

GENRES = {
    "adventure": ("Compass Summit River Voyage", "explorer pilot", "crosses an unmapped desert"),
    "animation": ("Kite Pumpkin Robot Puddle", "toymaker fox", "learns to fly a paper ship"),
    "comedy": ("Wedding Umbrella Cousin Parrot", "waiter landlord", "bets the family restaurant"),
    "crime": ("Alibi Ledger Vault Witness", "detective forger", "follows the stolen ledger"),
    "documentary": ("Archive Glacier Harvest Choir", "archivist farmer", "films a vanishing craft"),
    "drama": ("Letter Orchard Promise Winter", "widow teacher", "returns to sell the old house"),
    "fantasy": ("Crown Dragon Lantern Oracle", "apprentice queen", "wakes a sleeping giant"),
    "horror": ("Cellar Whisper Fog Mirror", "caretaker nurse", "hears the walls answer"),
    "music": ("Encore Violin Chorus Anthem", "drummer conductor", "writes one last song"),
    "romance": ("Kiss Balcony Summer Dance", "florist sailor", "falls for a rival"),
    "science fiction": ("Orbit Signal Android Comet", "engineer clone", "repairs a silent station"),
    "thriller": ("Deadline Cipher Shadow Hostage", "courier agent", "has one night to disappear"),
}
"""Genre: nouns for titles, heroes, and a deed."""

TONES = (
    ("bleak and merciless", "warm and hopeful"),
    ("slow and patient", "breathless and fast"),
    ("told in whispers", "loud and colourful"),
    ("strictly logical", "dreamlike"),
    ("set in narrow rooms", "set under wide skies"),
    ("dry and ironic", "openly sentimental"),
    ("rooted in the past", "hungry for the future"),
    ("about one lonely mind", "about a crowded family"),
    ("raw and handheld", "polished like a jewel"),
    ("quietly political", "gladly silly"),
    ("full of riddles", "plain as bread"),
    ("tense to the last minute", "gentle throughout"),
    ("brutal", "tender"),
    ("austere", "lavish"),
    ("cold as steel", "sunlit"),
    ("sceptical", "full of wonder"),
)
"""Per latent factor: what a low and what a high value reads like."""

PLACES = {
    "harbour": "by the harbour",
    "mountains": "in the mountains",
    "capital": "in the capital",
    "island": "on an island",
    "border": "at the border",
    "desert": "in the desert",
    "suburb": "in a suburb",
    "space": "in space",
}
"""Place: where the synopsis says it is."""

THEMES = ("revenge", "friendship", "inheritance", "escape", "ambition", "memory", "justice", "home")
ADJECTIVES = (
    *("Amber", "Borrowed", "Broken", "Crooked", "Distant", "Electric", "Forgotten", "Golden"),
    *("Hidden", "Hollow", "Iron", "Last", "Little", "Midnight", "Northern", "Paper", "Quiet"),
    *("Restless", "Scarlet", "Second", "Silver", "Stolen", "Tangled", "Velvet", "Wandering"),
)
ONSETS = (
    *("b", "br", "d", "dr", "f", "g", "gr", "h", "j", "k", "kl", "l"),
    *("m", "n", "p", "r", "s", "st", "t", "tr", "v", "vel", "z"),
)
VOWELS = ("a", "e", "i", "o", "u", "ae", "ei", "ou")
CODAS = ("", "l", "n", "r", "s", "th", "v", "k", "nd", "m")


def invented_word(rng: np.random.Generator, syllables: int) -> str:
    """A capitalised word of nobody's language.

    Example:
        >>> invented_word(np.random.default_rng(3), syllables=2).istitle()
        True
    """
    parts = [ONSETS[rng.integers(len(ONSETS))] + VOWELS[rng.integers(len(VOWELS))]]
    parts += [
        ONSETS[rng.integers(len(ONSETS))] + VOWELS[rng.integers(len(VOWELS))]
        for _ in range(syllables - 1)
    ]
    return ("".join(parts) + CODAS[rng.integers(len(CODAS))]).capitalize()


def invented_names(rng: np.random.Generator, n: int) -> list[str]:
    """``n`` different names of two words each.

    Example:
        >>> len(set(invented_names(np.random.default_rng(3), 40)))
        40
    """
    names: dict[str, None] = {}
    while len(names) < n:
        names[f"{invented_word(rng, 2)} {invented_word(rng, int(rng.integers(2, 4)))}"] = None
    return list(names)


def title(rng: np.random.Generator, genre: str) -> str:
    """A title for a film of ``genre``; it may have been used already.

    Example:
        >>> title(np.random.default_rng(3), "horror").split()[-1] != ""
        True
    """
    nouns = GENRES[genre][0].split()
    noun = nouns[rng.integers(len(nouns))]
    if rng.random() < 0.5:
        return f"{ADJECTIVES[rng.integers(len(ADJECTIVES))]} {noun} in {invented_word(rng, 2)}"
    return f"The {noun} of {invented_word(rng, int(rng.integers(2, 4)))}"


def synopsis(rng: np.random.Generator, genres: list[str], factors: np.ndarray, place: str) -> str:
    """A sentence or two about a film.

    Args:
        rng: chooses among the heroes of the genre.
        genres: the film's genres, the first one leads.
        factors: (n_factors,) latent factors; the two furthest from zero set the tone.
        place: where it plays.

    Example:
        >>> factors = np.array([0.1, -2.0, 1.5])
        >>> synopsis(np.random.default_rng(1), ["horror"], factors, "harbour")
        'A caretaker by the harbour hears the walls answer. Slow and patient, loud and colourful.'
    """
    heroes = GENRES[genres[0]][1].split()
    hero = heroes[rng.integers(len(heroes))]
    deed = GENRES[genres[-1]][2]
    first, second = (
        TONES[k % len(TONES)][int(factors[k] > 0)] for k in np.argsort(-np.abs(factors))[:2]
    )
    article = "An" if hero[0] in "aeiou" else "A"
    return f"{article} {hero} {PLACES[place]} {deed}. {first.capitalize()}, {second}."
