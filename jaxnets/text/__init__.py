"""Texts as numbers: reading, splitting into words, vocabularies, corpora and a tiny language."""
