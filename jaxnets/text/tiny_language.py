"""Sentences of a small grammar about countries, kin and opposites, whose analogies are known.

The words of a row below share contexts with the other words of the row and with the words of
their column, which makes "Bern is to Switzerland as Beijing is to China" learnable.
"""

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple

import numpy as np

COUNTRIES = """
paris france french euro wine
beijing china chinese yuan tea
bern switzerland swiss franc cheese
tokyo japan japanese yen rice
london england english pound ale
moscow russia russian rouble vodka
delhi india hindi rupee curry
cairo egypt arabic dinar dates
seoul korea korean won cabbage
oslo norway norwegian krone salmon
warsaw poland polish zloty dumplings
budapest hungary hungarian forint goulash
"""
"""Capital, country, language, money, food."""
KIN = """
king queen crown palace
man woman work town
boy girl school toys
father mother parents home
uncle aunt cousins visit
prince princess castle throne
brother sister siblings room
actor actress stage play
waiter waitress table menu
wizard witch spell broom
"""
"""He, she, and two words they share."""
OPPOSITES = """
big small size house
hot cold heat soup
old young age tree
fast slow speed horse
rich poor wealth merchant
tall short height tower
loud quiet noise street
heavy light weight stone
deep shallow depth lake
bright dark shine lamp
"""
"""Much of it, little of it, its name, and a thing that has it."""

PLACES = (
    "{capital} is the capital city of {country}",
    "the city of {capital} has streets and a mayor",
    "streets of {capital} are busy in the city centre",
    "the country {country} has borders and provinces",
    "the provinces of {country} lie within its borders",
    "in {capital} people speak {language}",
    "in {country} people speak {language}",
    "they pay with the {money} in {capital}",
    "they pay with the {money} in {country}",
    "we ate {food} in {capital}",
    "we ate {food} in {country}",
)
PEOPLE = (
    "the {he} said he lost his hat",
    "the {she} said she lost her dress",
    "he is a {he} and his beard is long",
    "she is a {she} and her hair is long",
    "the {he} knows the {first} and the {second}",
    "the {she} knows the {first} and the {second}",
    "a {first} and a {second} belong to the {he}",
    "a {first} and a {second} belong to the {she}",
    "the {he} and the {she} share the {first}",
)
THINGS = (
    "a {much} {thing} has much {name}",
    "a {little} {thing} has little {name}",
    "this {thing} is very {much} with so much {name}",
    "this {thing} is rather {little} with so little {name}",
    "the {thing} is {much} because its {name} is great and strong",
    "the {thing} is {little} because its {name} is slight and weak",
    "is the {thing} {much} or {little} in {name}",
)


class Topic(NamedTuple):
    """Holds words that belong together, and the sentences made of them.

    Example:
        >>> Topic([{"city": "paris"}], ("{city} is large",), ("city", "city")).sentences
        ('{city} is large',)
    """

    rows: list[dict[str, str]]
    sentences: tuple[str, ...]
    pair: tuple[str, str]
    """The two columns between which the analogies are."""


def _rows(text: str, *columns: str) -> list[dict[str, str]]:
    return [dict(zip(columns, line.split(), strict=True)) for line in text.split("\n") if line]


TOPICS = {
    "capitals": Topic(
        _rows(COUNTRIES, "capital", "country", "language", "money", "food"),
        PLACES,
        ("capital", "country"),
    ),
    "kin": Topic(_rows(KIN, "he", "she", "first", "second"), PEOPLE, ("he", "she")),
    "opposites": Topic(
        _rows(OPPOSITES, "much", "little", "name", "thing"), THINGS, ("much", "little")
    ),
}


def sentences(n: int, seed: int = 0) -> Iterator[str]:
    """Yields `n` sentences, each of a topic, a row and a pattern drawn uniformly.

    Example:
        >>> len(list(sentences(5)))
        5
    """
    rng = np.random.default_rng(seed)
    topics = list(TOPICS.values())
    for _ in range(n):
        topic = topics[rng.integers(len(topics))]
        pattern = topic.sentences[rng.integers(len(topic.sentences))]
        yield pattern.format(**topic.rows[rng.integers(len(topic.rows))])


def analogies() -> dict[str, list[tuple[str, str, str, str]]]:
    """Lists all `(a, b, c, d)` per topic: a is to b as c is to d, for every two of its rows.

    Example:
        >>> all(len(four) == 4 for group in analogies().values() for four in group)
        True
    """
    return {
        name: [
            (one[first], one[second], other[first], other[second])
            for one, other in permutations(topic.rows, 2)
        ]
        for name, topic in TOPICS.items()
        for first, second in [topic.pair]
    }
