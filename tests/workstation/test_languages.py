"""The workstation's page in the reviewer's language, whatever the reporter's."""

import datetime
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import HOST, ORIGIN, get, post
from whistle.workstation import language
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import case_list, overview, transcript
from whistle.workstation.language import t
from whistle.workstation.remarks import Remark
from whistle.workstation.tray import tray

DAY = datetime.date(2026, 12, 31)


@pytest.mark.usefixtures("arabic")
def test_the_page_is_in_the_language_that_was_chosen(world: World) -> None:
    """The choice holds for the page, locked or not, and for the next program; commands speak English."""
    page = create_app(world.station("ombuds"), world.stick, token="t").test_client()
    assert '<html lang="en" dir="ltr"' in get(page, "workstation")
    assert '<html lang="ar" dir="rtl"' in post(page, "language", language="ar")
    assert '<html lang="ar" dir="rtl"' in post(page, "lock") and t("languages.title") == "Language of this page"
    folder = world.folder / "ombuds"
    again = create_app(folder, world.stick, token="t").test_client()
    assert '<html lang="ar" dir="rtl"' in get(again, "locked")
    assert (folder / language.FILE).read_text("ascii") == "ar\n"


@pytest.mark.usefixtures("arabic")
def test_nothing_chosen_is_what_the_browser_asks_for(world: World) -> None:
    """The browser's first language that there is, English if there is none; a choice goes before it."""
    page = create_app(world.folder / "nobody", world.stick, token="t").test_client()
    for asked, code in {"ar-SA,en;q=0.5": "ar", "pt,ar;q=0.4": "ar", "fr": "en", "": "en"}.items():
        shown = page.get("/t/locked", base_url=HOST, headers={"Accept-Language": asked}).text
        assert f'<html lang="{code}"' in shown
    page.post("/t/language", base_url=HOST, headers=ORIGIN, data={"language": "ar"})
    made = post(page, "new", name="Ada", role="Ethics", languages="en", passphrase=PASSPHRASE, again=PASSPHRASE)
    assert '<html lang="ar"' in made and language.kept(world.folder / "nobody") == "ar"
    assert page.post("/t/language", base_url=HOST, headers=ORIGIN, data={"language": "fr"}).status_code == 400


@pytest.mark.usefixtures("arabic")
def test_what_is_kept_is_shown_in_the_language_of_whoever_reads_it() -> None:
    """Stored by key: said in one language, read in another, with names kept apart and days as that one writes them."""
    said = t("language.sentence", words=t("language.kilobytes", size="Ada\u202e"))
    kept, dated = language.stored(said), language.stored(t("language.sentence", words=DAY))
    assert said == "Ada KB." and language.restored(kept) == said and language.restored("as it was") == "as it was"
    assert language.restored(dated) == "2026-12-31."
    with language.on_page("ar"):
        assert language.restored(kept) == "««\u2068Ada\u2069 KB».»"
        assert language.restored(dated) == "«31 ديسمبر 2026.»"
    forgotten = kept.replace("language.sentence", "language.gone")
    assert language.restored(forgotten) == said


@pytest.mark.usefixtures("arabic")
def test_why_something_stays_is_said_in_the_language_of_the_page(world: World) -> None:
    """The vault keeps no sentence of this program's own: neither of the tray nor of what is remarked on a case."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    case = overview.load(station, who.case.hex())
    tray.note(station, case, "Ask the cashier.")
    with station.change():
        tray.hold_all(station)
        station.note_fault(case.id, Remark(t("overview.twice"), "", "twice"))
    for code in ("en", "ar"):
        with language.on_page(code):
            [waits], [fault] = tray.items(station), overview.load(station, case.id).faults
        assert "It was in the tray" in waits.reason and "more than one report" in fault
        assert ["«" in said for said in (waits.reason, fault)] == [code == "ar"] * 2


def test_six_languages_are_offered() -> None:
    """All of them are whole, and English is the first."""
    assert [each.code for each in language.offered()] == ["en", "ar", "es", "fr", "ru", "zh"]


@pytest.mark.usefixtures("arabic")
def test_days_in_a_row_are_written_as_the_page_does() -> None:
    """With the name of the month, and the language's own marks between them."""
    some = [DAY, DAY.replace(month=11, day=30)]
    assert language.days(some) == "2026-12-31 and 2026-11-30"
    with language.on_page("ar"):
        assert language.days(some) == "31 ديسمبر 2026 و30 نوفمبر 2026"


def test_a_sentence_ends_once() -> None:
    """What ends as a sentence already gets no other full stop, in any script."""
    said = ["not done", "Not done.", "未完成。", "لماذا؟", "whistle.toml is damaged"]
    assert [language.sentence(each) for each in said] == ["Not done.", *said[1:4], "whistle.toml is damaged."]


@pytest.mark.usefixtures("arabic")
def test_people_go_by_their_role_in_the_language_of_the_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the manifest has it; in a page from right to left name and id stand apart."""
    station = world.station("ombuds")
    world.round("ombuds")
    newest = station.trust.newest().manifest
    roles = replace(newest, reviewers=tuple(replace(each, roles={"ar": "أمين"}) for each in newest.reviewers))
    monkeypatch.setattr(station.trust, "newest", lambda: SimpleNamespace(manifest=roles))
    assert transcript.person(station, "ombuds") == "Ombudsperson (ombuds)"
    with language.on_page("ar"):
        assert transcript.person(station, "ombuds") == "«\u2068أمين\u2069 (\u2068ombuds\u2069)»"


@pytest.mark.usefixtures("arabic")
def test_what_breaks_says_no_more_than_its_kind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the language of the page, without a word of what broke; nor does a page that there is not."""
    page = create_app(world.station("ombuds"), world.stick, token="t").test_client()
    post(page, "language", language="ar")
    monkeypatch.setattr(case_list, "rows", lambda *_: 1 / len(""))
    broken, missing = (page.get(f"/t/{path}", base_url=HOST) for path in ("", "no-such-page"))
    assert (broken.status_code, broken.text) == (500, "«Something went wrong here: \u2068ZeroDivisionError\u2069.»\n")
    assert (missing.status_code, missing.text) == (404, "«There is no such page.»\n")
