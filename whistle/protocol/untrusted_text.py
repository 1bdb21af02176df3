"""What strangers wrote, made harmless as a text that is shown.

No text of theirs moves a cursor, hides itself or turns the direction of what follows.
"""

import unicodedata

KEPT = frozenset("\n\t\u200c\u200d")  # line ends, tabs, and the joiners that some scripts need
SHOWN = {"Cc": "\ufffd", "Cf": "", "Cs": "\ufffd", "Zs": " ", "Zl": "\n", "Zp": "\n"}  # by Unicode's category


def plain(text: str) -> str:
    """A stranger's text as it can be shown anywhere: controls, direction marks and odd line ends replaced."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char if char in KEPT else SHOWN.get(unicodedata.category(char), char) for char in unified)


def one_line(text: str) -> str:
    """The same on one line."""
    return " ".join(plain(text).split())


def quoted(text: str) -> list[str]:
    """The same as lines that cannot be taken for anything else."""
    return [f"| {line}" for line in plain(text).split("\n")] if text else []
