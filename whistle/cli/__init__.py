"""The command line, one file an actor."""
