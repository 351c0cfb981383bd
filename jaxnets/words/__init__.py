"""Word vectors after training: use, quality, files."""

from jaxnets.words.files import load, save
from jaxnets.words.quality import (
    Score,
    analogy_scores,
    read_analogies,
    read_similarities,
    spearman,
    total,
)
from jaxnets.words.vectors import Vectors, analogy, most_similar, similarities

__all__ = [
    "Score",
    "Vectors",
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
]
