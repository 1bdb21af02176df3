"""The retrieval code: its words, and the keys, tokens and ids that follow from it (SPEC 2, 3)."""
