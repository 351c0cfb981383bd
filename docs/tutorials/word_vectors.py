# %% [markdown]
# # Word vectors of your own text
#
# word2vec (Mikolov and others, 2013) gives each word a list of numbers, such that words in
# similar company get similar lists. You need a text: a file, a folder of files, or lists of
# words.
#
# So that this page runs anywhere in seconds, the text is one of 10,000 sentences of a tiny
# language, in which kings live in palaces and Paris is in France.

# %%
import tempfile
from pathlib import Path

import jax
import numpy as np

from jaxnets import plots, word2vec
from jaxnets.text import corpus, tiny_language

sentences = list(tiny_language.sentences(10_000))
print("\n".join(sentences[:3]))

# %% [markdown]
# ## Read
#
# `corpus.read` splits the text into words and numbers them. Words that are rarer than `min_count`
# are left out; with a text of your own start with 5. `corpus.read("novels.txt")` reads a file.

# %%
text = corpus.read(sentences, min_count=1)
print(len(text.ids), "words of text,", len(text.vocabulary.words), "different ones")

# %% [markdown]
# ## Train
#
# `"sg"` is skip-gram: predict the neighbours of a word from the word. It takes seconds here.

# %%
settings = word2vec.Word2Vec("sg", epochs=10)
vectors = word2vec.train(settings, jax.random.key(0), text).vectors
print(vectors["king"].shape)

# %% [markdown]
# ## Use
#
# Who is near, who is the odd one out, and the famous question: king is to man as what is to
# woman?

# %%
print(vectors.most_similar("king", topn=3))
print(vectors.doesnt_match(["paris", "tokyo", "oslo", "queen"]))
print(vectors.most_similar(positive=["king", "woman"], negative=["man"], topn=1))

# %% [markdown]
# ## A map
#
# The two directions in which the vectors differ most (their principal components).

# %% Words as points in the plane; capitals are in one place and countries in another
words = ["paris", "oslo", "tokyo", "france", "norway", "japan", "king", "queen", "man", "woman"]
table = np.stack([vectors[word] for word in words])
_, _, directions = np.linalg.svd(table - table.mean(axis=0), full_matrices=False)
places = (table - table.mean(axis=0)) @ directions[:2].T
canvas, axes = plots.figure(size=(6.0, 4.0))
axes[0, 0].scatter(*places.T, s=12)
for word, place in zip(words, places, strict=True):
    axes[0, 0].annotate(word, place, xytext=(4, 3), textcoords="offset points")
axes[0, 0].set(xlabel="first component", ylabel="second component")
canvas

# %% [markdown]
# ## Save
#
# In the format of word2vec, which gensim and most other programs read.

# %%
path = Path(tempfile.mkdtemp()) / "vectors.bin"
word2vec.save(path, vectors, binary=True)
print(word2vec.load(path))

# %% [markdown]
# ## What next
#
# Small texts make poor vectors: below a few million words, vectors that somebody else has trained
# are the better choice, and `word2vec.load` reads them. Coming from gensim? [There is a page for
# you](from_gensim.py).
