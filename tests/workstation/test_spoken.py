"""What pages and the calendar file say to a reviewer whose language is not English."""

import datetime
import html
import re
from html.parser import HTMLParser

import pytest

from tests.workstation.carrying import World, attach
from tests.workstation.test_app import get, post
from whistle.workstation import language
from whistle.workstation.app.app import create_app
from whistle.workstation.duties import calendar_file, clocks
from whistle.workstation.duties.plan import Due

DAY = datetime.date(2026, 12, 31)
OWN = ("bdi", "code", "time")  # elements with names, and what is no language's
REVIEWERS = ("ombuds", "ethics", "counsel")
VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
CASE = "5" * 64


def events(named: bool = True) -> str:
    """A calendar with one thing that is due."""
    due = Due(CASE, "", "", "acknowledge", DAY, DAY, written=False)
    return calendar_file._text(calendar_file._events([due], DAY, named), DAY)


@pytest.mark.usefixtures("arabic")
def test_a_calendar_knows_an_event_again_in_another_language() -> None:
    """Its title is in the reviewer's language, in lines of 75 bytes; what a calendar knows it by stays the same."""
    english = events()
    with language.on_page("ar"):
        arabic = events()
    uid = r"UID:(\w+)@"
    assert re.findall(uid, english) == re.findall(uid, arabic) and "SUMMARY:Whistle: acknowledge receipt" in english
    lines = arabic.split("\r\n")
    assert all(len(line.encode()) <= calendar_file.LINE for line in lines)
    assert "SUMMARY:«Whistle: acknowledge receipt\\, " in arabic.replace("\r\n ", "")


def test_a_long_line_of_a_calendar_is_folded_between_letters() -> None:
    """No piece is longer than RFC 5545 allows, and without the folds the line is what it was."""
    line = "SUMMARY:" + "مهلة " * 40
    folded = calendar_file._folded(line)
    assert folded.replace("\r\n ", "") == line and folded.count("\r\n") > 2
    assert all(len(each.encode()) <= calendar_file.LINE for each in folded.split("\r\n"))


@pytest.mark.usefixtures("arabic")
def test_days_and_refused_clocks_are_told_in_the_language_of_the_page() -> None:
    """What is wrong with a length of time, and a length of time itself."""
    with language.on_page("ar"):
        with pytest.raises(ValueError, match="«write a number; at most «365 days»"):
            clocks.parse_clock("x", "days")
        with pytest.raises(ValueError, match="«this is not a day"):
            clocks.parse_day("31.12.2026")
        assert clocks.DIRECTIVE.feedback.words() == "«3 months»"


class Outside(HTMLParser):
    """Words of a page in Latin letters that are neither in a text of the catalogue nor marked as somebody's own."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._depth = 0  # of texts of the catalogue
        self._own: list[str] = []  # elements within the outermost one that holds what somebody wrote

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at labels, and note what belongs to somebody."""
        given = dict(attrs)
        is_said = tag == "p" and "class" not in given  # in a box of what this program says
        is_own = tag in OWN or (given.get("dir") == "auto" and not is_said) or ("lang" in given and tag != "html")
        is_own |= tag == "option" and given.get("value") in REVIEWERS
        if tag not in VOID and (self._own or is_own):
            self._own.append(tag)
        for name in ("aria-label", "title", "placeholder", "alt"):
            if given.get(name):
                self.handle_data(str(given[name]))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if self._own:
            self._own.pop()

    def handle_data(self, data: str) -> None:
        """Take the words that stand in no text of the catalogue."""
        for part in re.split("([«»])", data):
            self._depth += {"«": 1, "»": -1}.get(part, 0)
            if not self._own and not self._depth:
                self.words += re.findall(r"[A-Za-z]{3,}", part)


@pytest.mark.usefixtures("arabic")
def test_no_page_has_a_word_of_english(world: World) -> None:
    """Of every page, whatever is not somebody's own words comes from the catalogue, forms and refusals too."""
    blocks, photograph = attach(b"a photograph", "a.jpg")
    world.carrier.put_blocks(blocks)
    world.report(attachments=(photograph,))
    station = world.station("ombuds")
    page = create_app(station, world.stick, saved=world.folder / "saved", token="t").test_client()
    world.round("ombuds")
    post(page, "language", language="ar")
    [case] = set(re.findall(r"/t/case/([0-9a-f]{32})\"", get(page)))
    post(page, f"case/{case}/reply", text="We have it.", mark="acknowledgement")
    [file] = set(re.findall(r'href="/t/([^"]*/file/[^"]*)"', get(page, f"case/{case}")))
    pages = [
        "",
        f"case/{case}",
        file,
        "duties",
        "duties?weeks=26",
        "office",
        "templates",
        "backup",
        "sent",
        "workstation",
    ]
    pages += ["saved", "tray", "found"]
    english = {path: outside(get(page, path)) for path in pages}
    forms = {
        f"case/{case}/status": {"status": "open", "labels": "urgent", "deadline": "2026-12-31"},
        f"case/{case}/note": {"text": ""},
        f"case/{case}/files": {},
        f"case/{case}/own": {"title": "x" * 101},
        f"case/{case}/mute": {"on": "yes"},
        "office": {**{f"{name}-{part}": "x" for name in clocks.CLOCKS for part in ("count", "unit")}, "first": "x"},
        "templates": {"occasion": "", "language": "x y", "text": "…"},
        "backup/make": {"place": "x"},
        "backup/try": {"place": str(world.folder), "passphrase": "x"},
        "workstation/public": {},
        "workstation/check": {},
        "workstation/import": {"place": "x"},
        "sent/again": {},
        "duties/calendar": {"where": "x"},
        "duties/acknowledge": {},
        "exchange": {},
        "lock": {},
        "unlock": {"passphrase": "x"},
    }
    english |= {path: outside(post(page, path, **fields)) for path, fields in forms.items()}
    assert {path: words for path, words in english.items() if words} == {}


def outside(page: str) -> list[str]:
    """The words of a page that should not be there."""
    assert not re.search(r"[A-Z]\w+\(\w+=", html.unescape(page))  # an object, where its words belong
    found = Outside()
    found.feed(re.sub(r"(?s)<(script|style|textarea|title)\b.*?</\1>", "", page))
    return found.words
