"""The retrieval code: its words, and the keys, tokens and ids derived from it (SPEC 2, 3)."""
