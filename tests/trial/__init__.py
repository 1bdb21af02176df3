"""Trials: small ones run with all tests, and `make trial` runs them with their full counts and shows a table."""
