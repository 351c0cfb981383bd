# %% [markdown]
# # Coming from gensim
#
# word2vec is here as you know it: the same two models, the same methods of vectors, the same files.
#
# | in gensim | here |
# | --- | --- |
# | `Word2Vec(sentences, sg=1, vector_size=50, negative=5)` | `train(Word2Vec("sg", dimensions=50, negatives=5), key, text)` |
# | `alpha=0.025, min_alpha=1e-4` | `learning_rate=0.025, final_rate=1e-4` |
# | `min_count=5`, `seed=1` | `corpus.read(sentences, min_count=5)`, `jax.random.key(1)` |
# | `model.wv` | `trained.vectors`, or `trained.wv`, with the methods of `KeyedVectors` |
# | `Phrases(sentences)[sentences]` | `phrases.join(text, phrases.find(text))` |
# | `build_vocab(more, update=True)`, `train(more)` | `train(settings, key, corpus.read(more, known=vectors), start=trained)` |
# | `load_word2vec_format(path, binary=True)` | `word2vec.load(path)` |
#
# **gensim is the better choice** for topic models, FastText's vectors of parts of words, Doc2Vec,
# and for streams of text that never end: none of that is here. Choose this package for word2vec
# with the same vectors for the same key, and for training that is often faster on a few cores.

# %%
import tempfile
from pathlib import Path

import jax

from jaxnets import word2vec
from jaxnets.text import corpus, tiny_language

sentences = [line.split() for line in tiny_language.sentences(10_000)]
text = corpus.read(sentences, min_count=1)
trained = word2vec.train(word2vec.Word2Vec("sg", epochs=10), jax.random.key(0), text)
vectors = trained.wv

# %% [markdown]
# ## The methods that you know

# %%
print("king" in vectors, vectors["king"].shape, vectors.vector_size)
print(vectors.most_similar(positive=["king", "woman"], negative=["man"], topn=1))
print(vectors.similarity("hot", "cold"), vectors.doesnt_match(["paris", "oslo", "queen"]))

# %% [markdown]
# ## Back and forth
#
# Files are gensim's own format: `KeyedVectors.load_word2vec_format(path, binary=True)` reads this
# one, and gives the same neighbours.

# %%
path = Path(tempfile.mkdtemp()) / "vectors.bin"
word2vec.save(path, vectors, binary=True)
print(path.stat().st_size, "bytes;", word2vec.load(path).most_similar("king", topn=2))

# %% [markdown]
# ## More text
#
# New words get vectors, the old ones go on from where they were.

# %%
more = ["in rome people speak italian", "the city of rome has streets and a mayor"] * 40
longer = word2vec.train(
    word2vec.Word2Vec("sg", epochs=10),
    jax.random.key(1),
    corpus.read(more, known=vectors),
    start=trained,
)
print(len(vectors), "words before,", len(longer.vectors), "after")
