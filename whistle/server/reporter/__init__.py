"""The reporters' pages, which work without script."""
