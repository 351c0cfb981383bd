"""word2vec: continuous bag of words and skip-gram with negative sampling (row C8)."""

from jaxnets.word2vec.training import Trained, Word2Vec, train

__all__ = ["Trained", "Word2Vec", "train"]
