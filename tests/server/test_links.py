"""Numbers to call and places to turn to: what leads somewhere, where to, and what stays text."""

from pathlib import Path

import pytest

from tests import parties
from tests.server.visitor import Visitor, site
from whistle.server.config import Emergency, Outside
from whistle.server.reporter.links import contact

ONION = f"{'abcdefg7' * 7}.onion"

LEADS = {
    "112": "tel:112",
    " 110 ": "tel:110",
    "+963 11 245-6789": "tel:+963112456789",
    "+44 (0)20 7946 0000": "tel:+442079460000",
    "(020) 7946.0000": "tel:02079460000",
    "+49\u00a030\u2011901820": "tel:+4930901820",
    "١١٢": "tel:112",
    "help@staff.example": "mailto:help@staff.example",
    "https://staff.example/help?a=b&c": "https://staff.example/help?a=b&amp;c",
    "https://مكتب.example": "https://مكتب.example",
    f"http://{ONION}/": f"http://{ONION}/",
    f"{ONION}/help": f"http://{ONION}/help",
}
TEXTS = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "http://staff.example",
    "//staff.example",
    "https://",
    "https://user:word@staff.example",
    "https://staff.example:x",
    "https://staff.example\u202egro",
    "https://staff.example, or 112",
    "https://[::1",
    "112 or 110",
    "030/901820",
    "*100#",
    "1" * 16,
    "1",
    "help@staff",
    "help@staff.example?bcc=me@x.example",
    "The third door, Mondays",
    "<script>alert(1)</script>",
    "",
]


@pytest.mark.parametrize(("text", "href"), LEADS.items(), ids=range(len(LEADS)))
def test_leads_to(text: str, href: str) -> None:
    """Numbers however they are spaced, e-mail addresses, https and onions lead there, and are shown as written."""
    html = contact(text)
    assert html.startswith(f'<a href="{href}"') and f">{text.strip().replace('&', '&amp;')}</a>" in html


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_stays_text(text: str) -> None:
    """Whatever else was written leads nowhere, and is no markup."""
    html = contact(text)
    assert "<" not in html and html.unescape() == text


def test_a_page_elsewhere_opens_apart_and_is_told_nothing() -> None:
    """It learns no address, reaches no window of ours, and what was typed stays in its tab; numbers need none of it."""
    assert 'target="_blank" rel="noreferrer"' in contact("https://staff.example")
    assert "target" not in contact("112") and "target" not in contact("help@staff.example")


def test_pages_link_numbers_and_places(tmp_path: Path, org: parties.Organisation) -> None:
    """The number in the first line can be dialled, with its label; other places lead there; browsers guess no more."""
    calls = (Emergency("+963 11 245", {"en": "fire & police"}), Emergency("112", {}), Emergency("ask <anyone>", {}))
    places = (Outside({"en": "A"}, "help@staff.example", {}), Outside({"en": "B"}, "<b>Third door</b>", {}))
    visitor = Visitor(site(tmp_path, org, emergency=calls, outside=places))
    assert {"tel:+96311245", "tel:112", "mailto:help@staff.example"} <= set(visitor.page.links)
    assert ("meta", {"name": "format-detection", "content": "telephone=no"}) in visitor.page.tags
    assert visitor.answer.headers["Referrer-Policy"] == "same-origin"
    said = "Call +963 11 245 (fire & police), 112 and ask <anyone>."
    assert said in visitor.text and "<b>Third door</b>" in visitor.text
    visitor.tell("Money.", without=["ombuds", "ethics"])
    assert "mailto:help@staff.example" in visitor.page.links
