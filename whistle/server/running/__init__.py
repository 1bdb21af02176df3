"""The process: how it is set up, started, and kept in order."""
