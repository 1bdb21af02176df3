"""Makes the test vectors: what is in them, and what must become of it.  `tests/make_vectors.py` writes them."""
