"""The reporter's half, wherever it runs: composing, handing over, and judging replies (SPEC 2, 3, 9)."""
