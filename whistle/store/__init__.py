"""Where sealed things rest; it keeps opaque bytes and knows nothing of their meaning."""
