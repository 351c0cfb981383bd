"""The rule by which words are found in a text, whatever its script and its form of Unicode."""

import re
import sys
import unicodedata
from functools import cache

LINE = b"\0"
"""The token at the end of a line or text."""
RULE = f"3, Unicode {unicodedata.unidata_version}"
"""The version of the rule: a cached corpus of another one is not read."""
JOINERS = "\u200c\u200d"
"""The zero-width non-joiner and joiner: part of a word between its letters, as in Persian."""
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u2060\ufeff"))
"""Soft hyphen, word joiner and byte order mark, which are not part of the word they stand in."""
SPACES = bytes(
    code if code >= 128 or chr(code).isalpha() or chr(code) in "'\n" else ord(" ")
    for code in bytes(range(256)).lower()
)
TURKISH_DOT = re.compile("i\u0307+")
ASCII_WORD = re.compile("[a-z]+(?:'[a-z]+)*")


def words(text: str) -> list[str]:
    """Finds the lower-case words of a text: `words("Don't, N°1!") == ["don't", "n"]`.

    A word is a run of letters and their combining marks (accents, vowel signs, points), with single
    apostrophes inside. Words are in Unicode's composed form (NFC), so that a text gives the same
    words in every form.

    Raises:
        TypeError: not a str.
        ValueError: a lone surrogate, which is not a character.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected str, got {text!r}")
    return [word for token in tokens(as_bytes(text, "the text")) for word in words_of(token)]


def as_bytes(text: str, name: str) -> bytes:
    """Encodes as UTF-8; raises a ValueError with the place of a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        near = text[max(error.start - 10, 0) : error.end + 10]
        raise ValueError(
            f"{name} has {text[error.start]!r} at character {error.start} (in {near!r}), half of a "
            "surrogate pair, which is not a character: read its file with the right encoding, "
            "without errors='surrogateescape'"
        ) from error


def tokens(text: bytes) -> list[bytes]:
    """Splits a text at ASCII spaces, digits and punctuation, with `LINE` where a line ends.

    Texts of 10^9 characters have few distinct tokens, so that `words_of`, which is slow, need be
    called only once for each.
    """
    return text.translate(SPACES).replace(b"\n", b" " + LINE + b" ").split()


def words_of(token: bytes) -> list[str]:
    """Finds the words of a token: mostly one; none in bare quotes; more around other marks."""
    if token.isascii():
        return ASCII_WORD.findall(token.decode().lower())
    text = _compose(token.decode())
    return [spell(word) for word in _pattern().findall(text)]


def spell(word: str) -> str:
    """Returns a word as the rule spells it: composed, in lower case, with straight apostrophes.

    The dot that Python leaves on the small letter of the Turkish capital İ is removed.
    """
    return unicodedata.normalize("NFC", TURKISH_DOT.sub("i", _compose(word).lower()))


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text.translate(INVISIBLE)).replace("’", "'")


@cache
def _pattern() -> re.Pattern[str]:
    """A letter, then letters, marks and joiners between them; apostrophes only inside.

    Possessive quantifiers take no memory, where plain ones take a hundred bytes for a character.
    """
    letter, mark = f"[{_characters('L')}]", f"[{_characters('M')}]"
    part = f"{letter}(?:{letter}++|{mark}++|[{JOINERS}]++(?={letter}|{mark}))*+"
    return re.compile(f"{part}(?:'{part})*+")


def _characters(kind: str) -> str:
    """The letters, `L`, or combining marks, `M`, of this Python's Unicode, for a class of them."""
    runs = re.finditer(f"{kind}+", _kinds())
    return "".join(f"{chr(run.start())}-{chr(run.end() - 1)}" for run in runs)


@cache
def _kinds() -> str:
    return "".join(unicodedata.category(char)[0] for char in map(chr, range(sys.maxunicode + 1)))
