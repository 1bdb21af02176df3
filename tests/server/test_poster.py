"""Posters, cards and slips: what is printed, in every language, and that a code leads to its page."""

import datetime
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests import parties
from whistle.cli.server import poster
from whistle.protocol.trust import manifest
from whistle.server.key_files import write_roots

pdfium = pytest.importorskip("pypdfium2", reason="what reads PDF is not installed: pip install '.[tests]'")
zxing = pytest.importorskip("zxingcpp", reason="what reads codes is not installed: pip install '.[tests]'")
pytest.importorskip("fpdf", reason="what makes PDF is not installed: pip install '.[poster]'")

from whistle.server.config import Config  # noqa: E402  all below only where that is installed
from whistle.server.errors import CannotPrint  # noqa: E402
from whistle.server.printing import fonts  # noqa: E402
from whistle.server.printing import pages as posters  # noqa: E402
from whistle.server.printing.content import gather  # noqa: E402
from whistle.server.printing.sheet import Sheet, Style, breakable  # noqa: E402

WEB, ONION = "https://report.example.org", f"{'a2b3c4d5' * 7}.onion"
TOML = """
[name]
en = "North Office"
ar = "مكتب الشمال"
es = "Oficina Norte"
fr = "Bureau du Nord"
ru = "Северное бюро"
zh = "北方办公室"
[[emergency]]
number = "112"
label.en = "police and ambulance"
label.ar = "الشرطة والإسعاف"
[[outside]]
name.en = "Council of staff"
name.ar = "مجلس الموظفين"
contact = "+41 22 917 12 34"
about.en = "Elected by all."
[server]
slots = 8
"""
NAMES = dict(re.findall(r'^(\w\w) = "(.*)"$', TOML, re.MULTILINE))
PACKAGES = {"ar": "fonts-noto-core", "zh": "fonts-droid-fallback"}  # others are printed with what every system has


@pytest.fixture
def folder(tmp_path: Path, org: parties.Organisation) -> Path:
    """A server's folder with its root."""
    (tmp_path / "server" / "keys").mkdir(parents=True)
    (tmp_path / "server" / "whistle.toml").write_text(TOML, "utf-8")
    write_roots(tmp_path / "server" / "keys", [org.root.public])
    return tmp_path / "server"


def run(folder: Path, *more: str) -> Result:
    """The command, with files to `out` beside the folder."""
    return CliRunner().invoke(poster, [str(folder.parent / "out"), "--folder", str(folder), *more])


def pages(pdf: bytes) -> Iterator[tuple[str, Any]]:
    """The text of each page, without line ends, and its picture."""
    for page in pdfium.PdfDocument(pdf):
        yield " ".join(page.get_textpage().get_text_range().split()), page.render(scale=2).to_pil()


def codes(picture: Any) -> list[Any]:
    """What codes on a picture say, and where they are."""
    return list(zxing.read_barcodes(picture))


def columns(picture: Any) -> list[bool]:
    """Whether there is ink in each column of a picture."""
    grey = picture.convert("L").point(lambda shade: 255 if shade < 128 else 0)
    return [bool(grey.crop((x, 0, x + 1, grey.height)).getbbox()) for x in range(grey.width)]


@pytest.mark.parametrize("language", NAMES)
def test_every_language_is_printed(folder: Path, org: parties.Organisation, language: str) -> None:
    """A poster of one page: name, address, digits, where else to turn, and codes that lead to this language's page."""
    if fonts_missing(language):
        pytest.skip(f"{PACKAGES[language]} is not installed")
    content = gather(Config.load(folder), language, [WEB, ONION], [org.root.public], ["CH"])
    sheet = posters.poster(content, fonts.choose(content.texts, language))
    [(text, picture)] = pages(sheet.pdf())
    digits = manifest.fingerprint([org.root.public])
    for part in (WEB, ONION[:28], ONION[28:], "112", "+41 22 917 12 34", "143", *digits.split()):
        assert part in text
    if language != "ar":  # whose letters are read by sight alone
        assert NAMES[language] in text and "torproject.org" in text
    found = codes(picture)
    assert sorted(each.text for each in found) == [f"http://{ONION}/{language}/", f"{WEB}/{language}/"]
    is_right = [each.position.top_left.x > picture.width / 2 for each in found]
    assert is_right == [language == "ar"] * 2


def test_the_command_makes_posters_cards_and_slips(folder: Path, org: parties.Organisation) -> None:
    """Of ten cards each side has its part: the address and its code, and the digits with where else to turn."""
    done = run(folder, "--address", WEB, "--language", "en")
    made = ["poster-en.pdf", "cards-en.pdf", "slips.pdf"]
    out = folder.parent / "out"
    assert done.exit_code == 0 and [line for line in done.output.split() if "/" in line] == [str(out / n) for n in made]
    assert sorted(path.name for path in out.iterdir()) == sorted(made)
    [(front, faces), (back, _)] = pages((out / made[1]).read_bytes())
    assert [each.text for each in codes(faces)] == [f"{WEB}/en/"] * 10
    assert front.count(WEB) == front.count("North Office") == 10
    digits = manifest.fingerprint([org.root.public])
    assert [back.count(part) for part in (digits[:24], "police and", "+41 22 917 12 34", "Council of staff")] == [
        10
    ] * 4


def test_a_file_does_not_tell_when_it_was_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made again at another hour it has the same bytes; it names no day, and no program with its version."""
    out, made = folder.parent / "out", []
    for hour in (9, 10):
        now = datetime.datetime(2026, 11, 22, hour, tzinfo=datetime.UTC)
        monkeypatch.setattr("fpdf.fpdf.datetime", type("Clock", (datetime.datetime,), {"now": lambda _, now=now: now}))
        assert run(folder, "--address", WEB, "--language", "en").exit_code == 0
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert made[0] == made[1] and len(made[0]) == 3
    for pdf in made[0].values():
        assert not re.search(rb"Date|D:\d|/ID\b|Producer|fpdf", pdf)


def fonts_missing(language: str) -> bool:
    """Whether the tests' own words of a language cannot be printed here."""
    try:
        fonts.choose(NAMES[language], language)
    except CannotPrint:
        return True
    return False


def test_a_slip_does_not_say_what_it_is_for() -> None:
    """It has twelve numbers and lines to write on: whoever finds it learns no name, address or purpose."""
    [(text, picture)] = pages(posters.slips(fonts.choose("0123456789", "en")).pdf())
    assert re.findall(r"\d", text) == list("123456789101112" * 4) and not re.search(r"[^\d\s]", text)
    assert not codes(picture)


def test_arabic_letters_are_joined_and_begin_at_the_right() -> None:
    """The four letters of a greeting are two strokes; a telephone number within keeps its order."""
    if fonts_missing("ar"):
        pytest.skip("fonts-noto-core is not installed")
    sheet = Sheet("ar", "rtl", fonts.choose("سلام", "ar"))
    sheet.add_page()
    sheet.put(20, 20, 170, "سلام", Style(60))
    [page] = pdfium.PdfDocument(sheet.pdf())
    inked = columns(page.render(scale=2).to_pil())
    strokes = sum(ink and not before for before, ink in zip([False, *inked], inked, strict=False))
    assert strokes == 2 and not any(inked[: len(inked) // 2])


def test_no_letter_is_ever_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no font has the letters of a language, one line says what to install, and nothing is written."""
    plain = folder.parent / "fonts"
    plain.mkdir()
    latin = fonts.choose("abc", "en")[0].path
    shutil.copy(latin, plain / "Plain.ttf")
    monkeypatch.setattr(fonts, "FOLDERS", {"linux": (str(plain),), "darwin": (str(plain),), "win32": (str(plain),)})
    done = run(folder, "--address", WEB)
    assert done.exit_code == 1 and not (folder.parent / "out").exists()
    assert re.search(r"error: no font .* has all letters of the language (ar|zh)\nhint: .*apt install", done.output)
    with pytest.raises(CannotPrint) as refused:
        fonts.choose("举报", "zh")
    assert "fonts-noto-cjk" in refused.value.hint
    assert [font.path.name for font in fonts.choose("abc", "en")] == ["Plain.ttf"]


WRONG = {
    "address": (["--address", "http://report.example.org"], "this is no address to print"),
    "language": (["--address", WEB, "--language", "pt"], "no pages in the language pt"),
    "country": (["--address", WEB, "--language", "en", "--country", "XX"], "no numbers for the country XX"),
}


@pytest.mark.parametrize(("more", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_printed_is_told(folder: Path, more: Sequence[str], said: str) -> None:
    """In one line, with what to do, and nothing is written."""
    done = run(folder, *more)
    assert done.exit_code == 1 and said in done.output and "hint: " in done.output
    assert not (folder.parent / "out").exists()


def test_without_a_root_there_is_nothing_to_compare(folder: Path) -> None:
    """A poster without digits is not made."""
    (folder / "keys" / "root-1.pub").unlink()
    assert "no root key yet" in run(folder, "--address", WEB).output


def test_what_does_not_fit_is_told(folder: Path) -> None:
    """Letters become smaller until all fits, but not too small to read."""
    place = '[[outside]]\nname.en = "Council of staff"\ncontact = "https://staff.example"\n'
    (folder / "whistle.toml").write_text(place * 40 + TOML, "utf-8")
    assert "shorten [[outside]]" in run(folder, "--address", WEB, "--language", "en").output


def test_a_chinese_line_ends_at_no_mark_that_belongs_elsewhere() -> None:
    """It may end between two letters, but not before a closing mark or after an opening one."""
    assert breakable("举报（咨询），好").split("\u200b") == ["举", "报", "（咨", "询），", "好"]
    assert breakable("no break") == "no break"
