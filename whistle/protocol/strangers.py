"""What strangers wrote, made harmless: as a text that is shown, and as the name of a file that is saved.

No text of theirs moves a cursor, hides itself or turns the direction of what follows; no name leaves its folder.
"""

import unicodedata

KEPT = frozenset("\n\t\u200c\u200d")  # line ends, tabs, and the joiners that some scripts need
SHOWN = {"Cc": "\ufffd", "Cf": "", "Cs": "\ufffd", "Zs": " ", "Zl": "\n", "Zp": "\n"}  # by Unicode's category
LONGEST = 200  # bytes of a saved file's name in UTF-8, the numbering included
LONGEST_ENDING = 20  # bytes
NAMELESS = "attachment"
# Controls, bidirectional and zero-width marks, lone surrogates, private and unassigned characters, line separators.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
FORBIDDEN = frozenset('<>:"|?*/\\')
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [name + digit for name in ("com", "lpt") for digit in "0123456789¹²³"]
)


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


def safe_name(name: str, reserve: int = 0) -> str:
    """A name that every system takes as that of a plain file in the folder at hand, `reserve` bytes left free."""
    last = name.replace("\\", "/").rpartition("/")[2]
    seen = "".join(char for char in last if unicodedata.category(char) not in UNSEEN)
    plain = "".join("_" if char in FORBIDDEN else char for char in unicodedata.normalize("NFC", seen))
    plain = " ".join(plain.split()).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if not stem or len(ending.encode()) > LONGEST_ENDING:
        stem, dot, ending = plain, "", ""
    stem = _cut(stem, LONGEST - reserve - len((dot + ending).encode())).strip(" .")
    if stem.partition(".")[0].strip().lower() in DEVICES or stem.startswith(("-", "~")):
        stem = "_" + _cut(stem, LONGEST - reserve - len((dot + ending).encode()) - 1)
    return (stem or NAMELESS) + dot + ending


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")


def numbered(name: str, count: int) -> str:
    """`name`, or `name (2).ext` from the second on."""
    if count < 2:
        return safe_name(name)
    mark = f" ({count})"
    stem, dot, ending = safe_name(name, len(mark)).rpartition(".")
    return f"{stem}{mark}.{ending}" if dot else f"{ending}{mark}"
