"""Untrusted text, made safe to show.

It cannot move a cursor, hide itself or turn the direction of what follows.
"""

import unicodedata

KEPT = frozenset("\n\t\u200c\u200d")  # line ends, tabs, and the joiners that some scripts need
SHOWN = {"Cc": "\ufffd", "Cf": "", "Cs": "\ufffd", "Zs": " ", "Zl": "\n", "Zp": "\n"}  # by Unicode's category


def plain(text: str) -> str:
    """The text with controls, direction marks and odd line ends replaced."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char if char in KEPT else SHOWN.get(unicodedata.category(char), char) for char in unified)


def one_line(text: str) -> str:
    """The safe text on one line, with single spaces."""
    return " ".join(plain(text).split())


def quoted(text: str) -> list[str]:
    """The safe text as lines that begin with `| `, so that they cannot be taken for anything else."""
    return [f"| {line}" for line in plain(text).split("\n")] if text else []
