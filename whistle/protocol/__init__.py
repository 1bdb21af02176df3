"""What the bytes mean: pure functions over bytes, described in SPEC.md beside this file."""
