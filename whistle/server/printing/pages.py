"""The pages: a poster, cards with two sides, and slips on which the twelve words are written by hand."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from whistle.server.errors import CannotPrint
from whistle.server.printing.content import Address, Content, Turn
from whistle.server.printing.fonts import Font
from whistle.server.printing.sheet import HIGH, INK, SOFT, STRONG, WARN, WIDE, Sheet, Style

SCALES = (1.25, 1.15, 1.05, 0.95, 0.85, 0.75, 0.7)  # of letters, until all fits
MARGIN = 18.0  # millimetres, as all that follows
CODE, CODE_OF_TWO = 62.0, 48.0
COLUMNS, ROWS, CARD_WIDE, CARD_HIGH, EDGE = 2, 5, 90.0, 54.0, 5.0
CARD_CODE = 27.0
WORDS = 12
LINE = (200, 204, 209)  # along which cards are cut


def poster(content: Content, fonts: Sequence[Font]) -> Sheet:
    """One page of A4."""
    sheet = Sheet(content.t.code, content.t.direction, fonts)
    sheet.set_title(content.name)
    sheet.add_page()
    _fit(sheet, partial(_poster, sheet, content), HIGH - MARGIN)
    _poster(sheet, content)
    return sheet


def cards(content: Content, fonts: Sequence[Font]) -> Sheet:
    """Ten cards: fronts on the first page, backs on the second, to be printed on both sides of a sheet and cut."""
    sheet = Sheet(content.t.code, content.t.direction, fonts)
    sheet.set_title(content.name)
    for side in (_front, _back):
        sheet.add_page()
        _fit(sheet, partial(side, sheet, content, 0, 0), CARD_HIGH - 1.5 * EDGE)
        for x, y in _places():
            sheet.box(x, y, CARD_WIDE, CARD_HIGH, LINE, 0.1)
            side(sheet, content, x + EDGE, y + EDGE)
    return sheet


def slips(fonts: Sequence[Font]) -> Sheet:
    """Four slips with twelve numbered lines for words and their numbers, and one for a reference.

    They say nothing else, so they show nobody what the words are for, and are the same in every language.
    """
    sheet = Sheet("", "ltr", fonts)
    sheet.add_page()
    wide, high = WIDE / 2, HIGH / 2
    for left, top in ((x, y) for y in (0.0, high) for x in (0.0, wide)):
        sheet.box(left, top, wide, high, LINE, 0.1)
        for number in range(1, WORDS + 1):
            y = top + 6 + number * 9.5
            sheet.put(left + 12, y - 5.5, 10, str(number), Style(13, colour=SOFT))
            sheet.rule(left + 22, y, 48)
            sheet.rule(left + 75, y, 18)
        sheet.rule(left + 22, top + 6 + (WORDS + 1.5) * 9.5, 48)
    return sheet


def _fit(sheet: Sheet, draw: Callable[[], float], bottom: float) -> None:
    """Let the sheet have the largest letters with which all comes no further down than `bottom`.

    CannotPrint if even small ones are too large.
    """
    sheet.measuring = True
    for sheet.scale in SCALES:
        if draw() <= bottom:
            sheet.measuring = False
            return
    raise CannotPrint(
        "not all of this fits on the paper", "shorten [[outside]] and [[emergency]], or name fewer countries"
    )


def _poster(sheet: Sheet, content: Content) -> float:
    """Draw it; how far down it comes."""
    t, x, wide = content.t, MARGIN, WIDE - 2 * MARGIN
    y = sheet.put(x, MARGIN - 4, wide, content.name, Style(16, bold=True, colour=SOFT))
    y = sheet.put(x, y + 3, wide, t.text("land.title"), Style(33, bold=True, colour=STRONG))
    y = sheet.put(x, y + 2, wide, t.text("poster.lead"), Style(16))
    for address in content.addresses:
        y = _address(sheet, content, address, x, y + 5)
    y = sheet.put(x, y + 5, wide, t.text("poster.own"), Style(13))
    y = sheet.put(x, y + 4, wide, t.text("poster.check"), Style(13))
    y = sheet.put(x, y + 1, wide, content.digits, Style(17, bold=True, alone=True))
    y = _danger(sheet, content, x, y + 6, wide, 16)
    return _outside(sheet, content, (*content.outside, *content.numbers), x, y + 5, wide, 12)


def _address(sheet: Sheet, content: Content, address: Address, x: float, y: float) -> float:
    """An address with its code beside it, in a frame."""
    code = CODE if len(content.addresses) == 1 else CODE_OF_TWO
    sheet.box(x, y, WIDE - 2 * x, code, STRONG, 0.6)
    sheet.code(x + 1, y + 1, code - 2, address.coded)
    left, wide = x + code + 3, WIDE - 2 * x - code - 8
    below = sheet.put(left, y + 6, wide, content.t.text(_said(address)), Style(14))
    sheet.put(left, below + 2, wide, address.shown, Style(17 if address.is_onion else 21, bold=True, alone=True))
    return y + code


def _said(address: Address) -> str:
    return "poster.tor" if address.is_onion else "poster.scan"


def _danger(sheet: Sheet, content: Content, x: float, y: float, wide: float, size: float) -> float:
    t = content.t
    y = sheet.put(x, y, wide, t.text("page.danger"), Style(size, bold=True, colour=WARN))
    if not content.emergency:
        return sheet.put(x, y, wide, t.text("page.danger_local"), Style(size * 0.85))
    return _turns(sheet, content.emergency, x, y, wide, size * 0.85, WARN)


def _outside(
    sheet: Sheet, content: Content, turns: Sequence[Turn], x: float, y: float, wide: float, size: float
) -> float:
    if not turns:
        return y
    y = sheet.put(x, y, wide, content.t.text("page.outside"), Style(size * 1.2, bold=True))
    return _turns(sheet, turns, x, y, wide, size, INK)


def _turns(
    sheet: Sheet, turns: Iterable[Turn], x: float, y: float, wide: float, size: float, colour: tuple[int, int, int]
) -> float:
    """In two columns, each with a name, a contact and what it is about."""
    half, top = wide / 2 - 3, y
    for place, turn in enumerate(turns):
        column, top = place % 2, top if place % 2 else y
        at = x + column * (half + 6)
        below = sheet.put(at, top + 1, half, turn.contact, Style(size, bold=True, colour=colour, alone=True))
        for said in filter(None, (turn.name, turn.about)):
            below = sheet.put(at, below, half, said, Style(size))
        y = max(y, below)
    return y


def _places() -> list[tuple[float, float]]:
    left, top = (WIDE - COLUMNS * CARD_WIDE) / 2, (HIGH - ROWS * CARD_HIGH) / 2
    return [(left + column * CARD_WIDE, top + row * CARD_HIGH) for row in range(ROWS) for column in range(COLUMNS)]


def _front(sheet: Sheet, content: Content, x: float, y: float) -> float:
    t, wide = content.t, CARD_WIDE - 2 * EDGE
    below = sheet.put(x, y - 1, wide, content.name, Style(8, bold=True, colour=SOFT))
    top = sheet.put(x, below + 0.5, wide, t.text("land.title"), Style(11, bold=True, colour=STRONG)) + 0.5
    sheet.code(x - 2, top, CARD_CODE, content.addresses[0].coded)
    left, beside = x + CARD_CODE, wide - CARD_CODE
    below = top
    for address in content.addresses:
        below = sheet.put(left, below + 1, beside, t.text(_said(address)), Style(7, colour=SOFT))
        below = sheet.put(
            left, below, beside, address.shown, Style(6.5 if address.is_onion else 9, bold=True, alone=True)
        )
    return max(below, top + CARD_CODE)


def _back(sheet: Sheet, content: Content, x: float, y: float) -> float:
    t, wide = content.t, CARD_WIDE - 2 * EDGE
    below = sheet.put(x, y - 1, wide, t.text("poster.own"), Style(7))
    below = sheet.put(x, below + 1, wide, t.text("poster.check"), Style(7))
    below = sheet.put(x, below, wide, content.digits, Style(8, bold=True, alone=True))
    below = _danger(sheet, content, x, below + 1, wide, 8)
    turns = [Turn(each.name, each.contact) for each in content.outside]
    return _outside(sheet, content, turns, x, below + 1, wide, 7)
