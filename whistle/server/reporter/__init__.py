"""The reporters' pages, which work without scripts."""
