"""word2vec: continuous bag of words and skip-gram with negative sampling (row C8)."""
