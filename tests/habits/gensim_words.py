"""Someone from gensim: sentences of tokens, neighbours, analogies, files that gensim reads."""

import tempfile
from pathlib import Path

import jax
import numpy as np

from jaxnets import word2vec
from jaxnets.text import corpus, tiny_language

sentences = [line.split() for line in tiny_language.sentences(10_000)]
text = corpus.read(sentences, min_count=1)
trained = word2vec.train(word2vec.Word2Vec("sg", epochs=10), jax.random.key(0), text)
vectors = trained.wv
print(vectors.most_similar("king", topn=3), vectors.doesnt_match(["paris", "oslo", "queen"]))
assert "king" in vectors
assert vectors["king"].shape == (vectors.vector_size,)

path = Path(tempfile.mkdtemp()) / "vectors.bin"
word2vec.save(path, vectors, binary=True)
from gensim.models import KeyedVectors  # noqa: E402

theirs = KeyedVectors.load_word2vec_format(path, binary=True)
question = {"positive": ["king", "woman"], "negative": ["man"], "topn": 5}
ours, expected = vectors.most_similar(**question), theirs.most_similar(**question)
print(expected)
assert [word for word, _ in ours] == [word for word, _ in expected]
np.testing.assert_allclose([s for _, s in ours], [s for _, s in expected], atol=1e-5)
assert expected[0][0] == "queen"
