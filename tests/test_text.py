"""The rule of words."""

from jaxnets.data import text


def test_words_are_lower_case_runs_of_letters_with_apostrophes_inside():
    assert text.words("The cat's hat sat;") == ["the", "cat's", "hat", "sat"]
    found = text.words("Über 20 cats: don’t 'quote' the café's cat!")
    assert found == ["über", "cats", "don't", "quote", "the", "café's", "cat"]
    assert text.words("the_dog the-cat l'été") == ["the", "dog", "the", "cat", "l'été"]
    assert text.words("1984\n''\t") == []
