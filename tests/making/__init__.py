"""The content of the test vectors and its expected results.  `tests/make_vectors.py` writes them."""
