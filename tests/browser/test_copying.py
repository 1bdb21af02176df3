"""The twelve words, copied from their page in a real browser as they are shown, and pasted back."""

import flask
import pytest

from tests.browser.remote import remote
from tests.browser.serving import Line, without_script
from tests.browser.walks import BROWSERS, TEXTS
from whistle.protocol.code import words

pytestmark = pytest.mark.browser
LISTS = {"on": ("fr", "zh"), "off": ("en", "es")}  # that are tried with script on and off
LIST, ALL = ".code ol", ""  # what is selected
BOX = "(document.body.append(Object.assign(document.createElement('textarea'), { id: 'box' })), null)"


@pytest.mark.parametrize("script", LISTS)
@pytest.mark.parametrize("name", BROWSERS)
def test_copied_words_open_the_case(app: flask.Flask, served: tuple[str, Line], name: str, script: str) -> None:
    """The words are read from a copy of them, or of the whole page, and a text that holds such a copy
    is stopped; what is pasted into the box for the words opens the case."""
    address, line = served
    line.answer = without_script if script == "off" else line.answer
    press = "press" if script == "on" else "go"
    with remote(name, address, axe=False) as page:
        page("tell", TEXTS["en"])
        page("click" if script == "on" else "leads", "form:has([name=step][value=send]) > button")
        page("see", LIST)
        codes = set()
        for language in LISTS[script]:
            page("select", "#list", language)
            page(press, "words")
            page("see", f".code ol[lang={language}]")
            for part in (LIST, ALL):
                page("copy", part)
                page("told", BOX)
                page("paste", "#box")
                pasted = page("value", "#box")
                page("told", "(document.getElementById('box').remove(), null)")
                assert len(pasted.split()) >= 2 * words.COUNT, pasted
                codes.add(words.decode(pasted))
                assert words.holds_code(f"I was given this: {pasted}"), (language, part)
        assert len(codes) == 1
        page("home")
        page("go", "replies")
        page("paste", "#words")  # the last copy: all of the page
        page(press, "look")
        page("see", "main form:has([value=follow-up])")
