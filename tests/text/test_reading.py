"""The rule of words."""

from jaxnets.text import reading


def test_words_are_lower_case_runs_of_letters_with_apostrophes_inside():
    assert reading.words("The cat's hat sat;") == ["the", "cat's", "hat", "sat"]
    found = reading.words("Über 20 cats: don’t 'quote' the café's cat!")
    assert found == ["über", "cats", "don't", "quote", "the", "café's", "cat"]
    assert reading.words("the_dog the-cat l'été") == ["the", "dog", "the", "cat", "l'été"]
    assert reading.words("1984\n''\t") == []
