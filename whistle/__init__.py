"""Whistle: an anonymous reporting system with end-to-end encryption."""

__version__ = "0.1.0"
