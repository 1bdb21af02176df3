"""Measures Whistle beside the limit of the same machine, in the same run: `python -m tests.bench`."""
