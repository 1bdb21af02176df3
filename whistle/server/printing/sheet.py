"""A sheet of A4 with texts of one language and codes to scan, laid out from the side on which its lines begin."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import segno
from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, WrapMode, XPos, YPos
from fpdf.output import OutputProducer, PDFInfo

from whistle.server.printing.fonts import Font

WIDE, HIGH = 210.0, 297.0  # millimetres of A4
POINT = 25.4 / 72  # millimetres
LEADING = 1.35
SMALLEST = 0.6  # of its size, for an address that is too long for its line
INK, SOFT, STRONG, WARN = (27, 31, 36), (77, 86, 96), (20, 83, 45), (122, 31, 18)
QUIET = 4  # modules that stay white around a code
ZERO_WIDTH_SPACE = "\u200b"  # a line may break there
OPENING, CLOSING = ("Ps", "Pi"), ("Pe", "Pf", "Po")  # kinds of marks that no line ends or begins with


@dataclass(frozen=True)
class Style:
    """How a text looks; `size` in points."""

    size: float
    bold: bool = False
    colour: tuple[int, int, int] = INK
    alone: bool = False  # from left to right whatever the language, in its own lines, as an address


class Sheet(FPDF):
    """Pages of A4.  All measures are millimetres from the top and from the side on which the language's lines begin."""

    def __init__(self, language: str, direction: str, fonts: Sequence[Font]) -> None:
        super().__init__(unit="mm", format="A4")
        self.set_auto_page_break(False)
        self.set_margin(0)
        self.c_margin = 0
        self.set_lang(language)
        self._from_right = direction == "rtl"
        self._direction = direction
        self.scale = 1.0  # of letters
        self.measuring = False  # then nothing is drawn
        self._letters = {f"font{place}": font.letters() for place, font in enumerate(fonts)}
        for family, font in zip(self._letters, fonts, strict=True):
            self.add_font(family, "", font.path, collection_font_number=font.face)
            self.add_font(family, "B", font.bold, collection_font_number=font.face)

    def file_id(self) -> None:
        """None, since it would be made of the time."""

    def pdf(self) -> bytes:
        """The file: the same bytes for the same sheet, whenever it is made."""
        return bytes(self.output(output_producer_class=_Undated))

    def put(self, x: float, y: float, width: float, text: str, style: Style) -> float:
        """Print a text in lines of `width`; the place below it."""
        with self.local_context():  # whose end also ends the font that a text's last letters had
            size = self._use(text, style, width)
            self.set_xy(self._left(x, width), y)
            high = self.multi_cell(
                width,
                size * POINT * LEADING,
                text if style.alone else breakable(text),
                align=Align.R if self._from_right else Align.L,
                new_x=XPos.LEFT,
                new_y=YPos.NEXT,
                wrapmode=WrapMode.CHAR if style.alone else WrapMode.WORD,
                dry_run=self.measuring,
                output=MethodReturnValue.HEIGHT,
            )
        assert isinstance(high, float | int)
        return y + high

    def _use(self, text: str, style: Style, width: float) -> float:
        """Begin with the font that has most of the letters of a text; its size in points."""
        families = sorted(self._letters, key=lambda family: -len(set(text) & self._letters[family]))
        size = style.size * self.scale
        self.set_font(families[0], "B" if style.bold else "", size)
        self.set_fallback_fonts(families[1:], exact_match=False)
        self.set_text_color(*style.colour)
        from_right = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
        self.set_text_shaping(True, direction=self._direction if from_right and not style.alone else "ltr")
        if style.alone:  # smaller rather than broken where nobody would break it
            longest = max(map(self.get_string_width, text.split("\n")))
            size *= max(SMALLEST, min(1, 0.99 * width / longest))
            self.set_font_size(size)
        return size

    def code(self, x: float, y: float, width: float, content: str) -> None:
        """A QR code, with its white edge, that says `content`."""
        if self.measuring:
            return
        matrix = _matrix(content)
        module = width / (len(matrix) + 2 * QUIET)
        left = self._left(x, width) + QUIET * module
        self.set_fill_color(0, 0, 0)
        for row, line in enumerate(matrix):
            for begin, end in _runs(line):
                at = y + (row + QUIET) * module
                self.rect(left + begin * module, at, (end - begin) * module, module, style="F")

    def rule(self, x: float, y: float, width: float) -> None:
        """A line to write on."""
        if self.measuring:
            return
        self.set_draw_color(*SOFT)
        self.set_line_width(0.2)
        left = self._left(x, width)
        self.line(left, y, left + width, y)

    def box(self, x: float, y: float, width: float, height: float, colour: tuple[int, int, int], line: float) -> None:
        """A frame with a line of so many millimetres."""
        if self.measuring:
            return
        self.set_draw_color(*colour)
        self.set_line_width(line)
        self.rect(self._left(x, width), y, width, height)

    def _left(self, x: float, width: float) -> float:
        return WIDE - x - width if self._from_right else x


class _Undated(OutputProducer):
    """Writes a file that does not tell when it was made, or by which program."""

    def _add_info(self) -> PDFInfo:
        info = super()._add_info()
        del info.creation_date, info.producer
        return info


@lru_cache
def _matrix(content: str) -> tuple[bytearray, ...]:
    return segno.make_qr(content, error="m").matrix


def breakable(text: str) -> str:
    """A text with places to break the line between Chinese or Japanese letters, but not where a mark forbids it."""
    return "".join(
        (ZERO_WIDTH_SPACE if _may_break(before, letter) else "") + letter
        for before, letter in zip(f" {text}", text, strict=False)
    )


def _may_break(before: str, after: str) -> bool:
    if before.isspace() or _is(before, OPENING) or _is(after, CLOSING):
        return False
    return _is_wide(after) or (_is_wide(before) and after.isalnum())


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF" and not unicodedata.name(letter, "").startswith("HANGUL")


def _is(letter: str, kinds: Sequence[str]) -> bool:
    return unicodedata.category(letter) in kinds


def _runs(line: bytearray) -> list[tuple[int, int]]:
    """The dark runs of a row: drawn whole, so that no viewer shows a gap between modules."""
    dark = [0, *line, 0]
    edges = [place for place in range(len(line) + 1) if dark[place] != dark[place + 1]]
    return list(zip(edges[::2], edges[1::2], strict=True))
