"""Characters of a text that nobody sees, by fixed ranges (SPEC 4.11).

No property of Unicode decides, since that changes with a table's age, and both implementations must agree.
"""

import re

# What is left out before anything is looked for in a text: joiners, marks of direction, fillers, tags and the like.
INVISIBLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x2D7F, 0x2D7F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFC), (0x13430, 0x13442), (0x16FE4, 0x16FE4),
    (0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
# Controls, spaces and line ends.
SPACE = (
    (0x0000, 0x0020), (0x007F, 0x00A0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
    (0x205F, 0x205F), (0x3000, 0x3000),
)  # fmt: skip


def _any(*ranges: tuple[int, int]) -> re.Pattern[str]:
    return re.compile("[" + "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges) + "]+")


_INVISIBLE, _BLANK = _any(*INVISIBLE), _any(*INVISIBLE, *SPACE)


def strip_invisible(text: str) -> str:
    """The text without what nobody sees; spaces stay."""
    return _INVISIBLE.sub("", text)


def strip_blank(text: str) -> str:
    """The same without controls, spaces and line ends."""
    return _BLANK.sub("", text)


def is_blank(text: str) -> bool:
    """Whether a text shows nothing."""
    return not text or _BLANK.fullmatch(text) is not None


def readings(text: str) -> tuple[str, ...]:
    """How a text may be read: without what nobody sees, and with spaces in its place where there is any."""
    shown = strip_invisible(text)
    return (shown,) if shown == text else (shown, _INVISIBLE.sub(" ", text))
