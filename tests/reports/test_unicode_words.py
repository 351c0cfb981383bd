"""Words of every script are whole: marks stay with their letters, and all forms are one word."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnets import word2vec
from jaxnets.text import corpus, word_rule
from jaxnets.text.reading import words

FORMS = ("NFC", "NFD")
SCRIPTS = {
    "Hindi": ("हिन्दी विकिपीडिया", ["हिन्दी", "विकिपीडिया"]),
    "Tamil": ("தமிழ்", ["தமிழ்"]),
    "Bengali": ("বাংলা", ["বাংলা"]),
    "Thai": ("ที่", ["ที่"]),
    "Hebrew": ("שָׁלוֹם", ["שָׁלוֹם"]),
    "Arabic": ("مُحَمَّد", ["مُحَمَّد"]),
    "Tibetan, whose dots end syllables": ("གུ་རུ་", ["གུ", "རུ"]),
    "accents": ("Café naïve Ångström", ["café", "naïve", "ångström"]),
    "Turkish": ("İstanbul", ["istanbul"]),
    # Siblings.
    "Turkish, already in lower case": ("İstanbul".lower(), ["istanbul"]),
    "Vietnamese": ("Tiếng Việt", ["tiếng", "việt"]),
    "Burmese": ("မြန်မာ", ["မြန်မာ"]),
    "Sinhala, with a joiner": ("ශ්\u200dරී", ["ශ්\u200dරී"]),
    "Persian, with a non-joiner": ("می\u200cخواهم", ["می\u200cخواهم"]),
    "Bengali, with a non-joiner before a mark": ("র\u200c্যাব", ["র\u200c্যাব"]),
    "Korean": ("한국어", ["한국어"]),
    "an enclosing mark": ("a\u20dd b", ["a\u20dd", "b"]),
    "marks with nothing to stand on": ("\u0301 1\u0301 -\u0301a", ["a"]),
    "superscripts, fractions and numerals": (
        "freedom¹ 10 m² 3½ cups Ⅷ ② x",
        ["freedom", "m", "cups", "x"],
    ),
    "emoji": ("I \u2764\ufe0f 1\ufe0f\u20e3 you", ["i", "you"]),
    "joiners at the ends": ("\u200dab\u200d \u200ccd\u200c", ["ab", "cd"]),
    "a soft hyphen": ("co\u00adoperate", ["cooperate"]),
    "a space of no width": ("one\u200btwo", ["one", "two"]),
    "byte order marks amid a text": ("\ufeffone \ufefftwo", ["one", "two"]),
    "apostrophes": ("L’été d'e\u0301te\u0301 ''", ["l'été", "d'été"]),
    "Greek": ("ΟΔΟΣ Όδός", ["οδος", "όδός"]),
    "a sign whose parts are ASCII": ("a≠b≮c", ["a", "b", "c"]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_case_11_combining_marks(name, form):
    text, want = SCRIPTS[name]
    if name == "Greek":
        want = ["οδος".replace("ς", "") + "ς", unicodedata.normalize("NFC", "όδός")]
    found = words(unicodedata.normalize(form, text))
    assert found == [unicodedata.normalize("NFC", word) for word in want]


ALPHABET = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from(
        "aAiIİıéß ’'_1\u0301\u0307\u0323\u0338=<\u200c\u200d\u00ad\ufeffΣσςकिท่ी가\u1100\u1161"
    ),
)
TEXTS = st.text(ALPHABET, max_size=20)


def in_every_form(text):
    return [text, *(unicodedata.normalize(form, text) for form in FORMS)]


@given(TEXTS)
@settings(max_examples=1500)
def test_the_form_of_a_text_does_not_matter(text):
    one, *others = (words(form) for form in in_every_form(text))
    assert all(other == one for other in others)


@given(TEXTS)
@settings(max_examples=1500)
def test_no_letter_is_lost(text):
    """Nor a mark after one: a slow walk from character to character finds the same."""
    plain = unicodedata.normalize(
        "NFC", text.translate(dict.fromkeys(map(ord, "\u00ad\u2060\ufeff")))
    )
    kept, inside = [], False
    for char in plain:
        is_letter = unicodedata.category(char)[0] == "L"
        is_mark = unicodedata.category(char)[0] == "M"
        if is_letter or (is_mark and inside):
            kept.append(char)
        inside = is_letter or (inside and (is_mark or char in "\u200c\u200d"))
    found = "".join(words(text)).replace("'", "").replace("\u200c", "").replace("\u200d", "")

    def fold(chars):
        folded = unicodedata.normalize("NFD", "".join(chars).lower()).replace("ς", "σ")
        return sorted(re.sub("i\u0307+", "i", folded))

    assert fold(found) == fold(kept)


@given(TEXTS)
@settings(max_examples=500)
def test_words_are_their_own_words(text):
    found = words(text)
    assert words(" ".join(found)) == found
    assert all(word_rule.spell(word) == word for word in found)


@pytest.mark.parametrize("form", FORMS)
def test_a_corpus_has_the_same_words_in_every_form(form, tmp_path):
    lines = ["Café हिन्दी café", "résumé CAFÉ हिन्दी résumé"] * 3
    want = corpus.read(lines, min_count=1)
    path = tmp_path / "text"
    path.write_text(unicodedata.normalize(form, "\n".join(lines)), encoding="utf-8")
    found = corpus.read(path, min_count=1)
    assert found.vocabulary.words == want.vocabulary.words == ("café", "हिन्दी", "résumé")
    np.testing.assert_array_equal(found.vocabulary.counts, [9, 6, 6])
    np.testing.assert_array_equal(found.ids, want.ids)


@pytest.mark.parametrize("form", FORMS)
def test_evaluation_finds_words_in_every_form(form, tmp_path):
    names = ["paris", "café", "rome", "crème", "i"]
    vectors = word2vec.Vectors(names, np.random.default_rng(0).normal(size=(5, 3)))
    questions, pairs = tmp_path / "q", tmp_path / "p"
    text = "\ufeff: drinks\nParis Café Rome Crème\n"
    questions.write_bytes(unicodedata.normalize(form, text).encode())
    pairs.write_bytes(unicodedata.normalize(form, "Café\tCrème\t7\r\nİ\tParis\t2\r\n").encode())
    assert word2vec.read_analogies(questions) == {"drinks": [("paris", "café", "rome", "crème")]}
    assert word2vec.read_similarities(pairs) == [("café", "crème", 7.0), ("i", "paris", 2.0)]
    asked = unicodedata.normalize(form, "café")
    assert word2vec.most_similar(vectors, asked) == word2vec.most_similar(vectors, "café")
    groups = {"g": [("paris", asked, "rome", "crème")]}
    assert word2vec.total(word2vec.analogy_scores(vectors, groups)).asked == 1
    assert word2vec.spearman(vectors, [(asked, "paris", 1), (asked, "rome", 2)])[1] == 2


def test_words_of_what_is_not_text_are_refused():
    for wrong in (b"bytes", None, 3, ["a list"]):
        with pytest.raises(TypeError, match="expected str"):
            words(wrong)
    with pytest.raises(ValueError, match=r"'\\udce9' at character 3"):
        words("caf\udce9 noir")
