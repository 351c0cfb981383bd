"""word2vec: training on a corpus, and the use, evaluation and files of word vectors (row C8)."""

from jaxnets.word2vec.analogies import analogy, most_similar, similarities
from jaxnets.word2vec.evaluation import (
    Score,
    analogy_scores,
    read_analogies,
    read_similarities,
    spearman,
    total,
)
from jaxnets.word2vec.settings import Word2Vec
from jaxnets.word2vec.train import train
from jaxnets.word2vec.trained import Trained
from jaxnets.word2vec.vector_files import load, save
from jaxnets.word2vec.vectors import Vectors

__all__ = [
    "Score",
    "Trained",
    "Vectors",
    "Word2Vec",
    "analogy",
    "analogy_scores",
    "load",
    "most_similar",
    "read_analogies",
    "read_similarities",
    "save",
    "similarities",
    "spearman",
    "total",
    "train",
]
