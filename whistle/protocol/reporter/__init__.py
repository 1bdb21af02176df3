"""The reporter's side, wherever it runs: composing, submitting, and validating replies (SPEC 2, 3, 9)."""
