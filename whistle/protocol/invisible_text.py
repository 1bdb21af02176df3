"""Invisible characters, by fixed ranges (SPEC 4.11).

Unicode properties are not used: they change from version to version, and all implementations must agree.
"""

import re

# Removed before a text is examined: joiners, direction marks, fillers, tags and the like.
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


def _left_out(*ranges: tuple[int, int]) -> dict[int, int | None]:
    """What leaves these out by `str.translate`; ASCII is all in it, since looking up what is not takes long."""
    return {char: char for char in range(128)} | {
        char: None for first, last in ranges for char in range(first, last + 1)
    }


_INVISIBLE, _BLANK = _any(*INVISIBLE), _any(*INVISIBLE, *SPACE)
_VISIBLE, _INK = _left_out(*INVISIBLE), _left_out(*INVISIBLE, *SPACE)


def strip_invisible(text: str) -> str:
    """The text without invisible characters; spaces stay."""
    return text if text.isascii() else text.translate(_VISIBLE)


def strip_blank(text: str) -> str:
    """The text without invisible characters, controls, spaces and line ends."""
    return text.translate(_INK)


def is_blank(text: str) -> bool:
    """Whether a text has no visible character."""
    return not text or _BLANK.fullmatch(text) is not None


def readings(text: str) -> tuple[str, ...]:
    """The ways to read a text: without invisible characters and, if it has any, with spaces in their place."""
    shown = strip_invisible(text)
    return (shown,) if shown == text else (shown, _INVISIBLE.sub(" ", text))
