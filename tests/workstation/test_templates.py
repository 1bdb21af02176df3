"""Texts for replies: chosen by language and occasion, filled in from the case, changed by the office."""

import pytest
from flask.testing import FlaskClient

from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import case_of as name_in
from tests.workstation.test_app import get, post
from tests.workstation.test_commands import Desk
from tests.workstation.test_hostile import case_of
from whistle.protocol.code.retrieval import Reporter, reference
from whistle.workstation import backup
from whistle.workstation.app.app import create_app
from whistle.workstation.duties import templates
from whistle.workstation.errors import Refused
from whistle.workstation.tray import drafts, tray


@pytest.fixture
def who(world: World) -> Reporter:
    """Whoever reported the only case, in French."""
    who = world.report(language="fr")
    world.round("ombuds")
    return who


@pytest.fixture
def page(world: World, who: Reporter) -> FlaskClient:
    """The page of the ombudsperson."""
    return create_app(world.station("ombuds"), world.stick, saved=world.folder / "saved", token="t").test_client()


def test_a_reply_is_begun_with_a_text_in_the_reporters_language(world: World, who: Reporter, page: FlaskClient) -> None:
    """Without script: it comes behind what was typed, sets what the reply counts as, and stays as a draft."""
    name = name_in(page)
    shown = get(page, f"case/{name}")
    groups = [each.partition('"')[0] for each in shown.split('<optgroup label="')[1:]]
    assert groups[0] == "French, the reporter’s language" and groups[1] == "English" and len(groups) == 6
    post(page, f"case/{name}/reply", text="Bonjour,\r\n", mark="", keep="template", template="fr/feedback")
    kept = drafts.of(world.station("ombuds"), who.case.hex(), "reply")
    assert kept["text"].startswith("Bonjour,\n\nVoici où en est votre signalement au 22 novembre 2026.")
    assert kept["mark"] == "feedback" and "Ombudsperson" in kept["text"] and "{les raisons}" in kept["text"]
    post(page, f"case/{name}/reply", text="Bonjour", mark="", keep="template", template="fr/nothing")
    assert drafts.of(world.station("ombuds"), who.case.hex(), "reply") == {"text": "Bonjour", "mark": ""}


def test_a_field_that_is_left_is_refused_in_words(world: World, who: Reporter, page: FlaskClient) -> None:
    """Before anything goes into the tray, by the page, by a change there, and by the command, which quotes nothing."""
    name, station = name_in(page), world.station("ombuds")
    for text, why in (
        ("Pourquoi : {les raisons}", "a field in curly brackets is not filled in yet"),
        ("{a} ｛原因｝", "2 fields in curly brackets are not filled in yet"),
    ):
        said = post(page, f"case/{name}/reply", text=text, mark="")
        assert why in said and text in said and not tray.items(station)
    number = tray.reply(station, case_of(world, who), "Good {} {\n}.")  # no fields
    with pytest.raises(Refused, match="not filled in"):
        tray.change(station, number, "Good {name}.")
    station.close()
    (world.folder / "terminal").mkdir()
    desk = Desk(world.folder / "terminal")
    written = desk.folder / "text"
    written.write_text("Secret {plan}")
    done = desk.run("reply", reference(who.case), "--text-file", written, "--folder", station.vault.folder)
    assert (
        done.exit_code == 1
        and "not filled in yet" in done.output
        and "plan" not in done.output
        and "Secret" not in done.output
    )


def test_an_office_changes_the_texts_and_adds_its_own(world: World, who: Reporter, page: FlaskClient) -> None:
    """Kept in the vault and in backups; emptied ones are not offered; the one that came with Whistle comes back."""
    station = world.station("ombuds")
    key = {"occasion": "acknowledgement", "language": "fr"}
    shown = get(page, "templates?occasion=acknowledgement&language=fr#text")
    assert "Nous avons bien reçu" in shown and "Go back" not in shown
    assert "Kept, sealed" in post(page, "templates", **key, text="Bien reçu, {reference}.\r\n{unknown}")
    assert templates.all_of(station)["acknowledgement", "fr"] == "Bien reçu, {reference}.\n{unknown}"
    assert "Go back to the text" in get(page, "templates?occasion=acknowledgement&language=fr")
    post(page, "templates", occasion="مقابلة", language="AR", text="يمكن أن نلتقي في {today}.")
    post(page, "templates", occasion="closing", language="fr", text=" ")
    offered = dict(templates.offered(station, case_of(world, who)))
    assert ("ar/مقابلة", "مقابلة") in offered["ar"] and "fr/closing" not in dict(offered["fr"])
    said = post(page, "templates", occasion="x" * 41, language="fr", text="Typed <b>")
    assert "at most 40 characters" in said and "Typed &lt;b&gt;" in said
    assert "This is no language" in post(page, "templates", occasion="x", language="../fr", text="x")
    assert "at most 20,000" in post(page, "templates", occasion="x", language="fr", text="x" * 20_001)
    folder = backup.save(station, world.folder, PASSPHRASE, log_n=12).folder
    restored = backup.restore(folder, world.folder / "again", PASSPHRASE, PASSPHRASE, "test", lambda: world.day)
    try:
        assert templates.all_of(restored) == templates.all_of(station)
    finally:
        restored.close()
    post(page, "templates/reset", **key)
    assert templates.all_of(station)["acknowledgement", "fr"] == templates.shipped()["acknowledgement", "fr"]
    name = name_in(page)
    post(page, f"case/{name}/reply", text="", mark="", keep="template", template="ar/مقابلة")
    assert "22 نوفمبر 2026" in get(page, f"case/{name}")


def test_a_line_stands_where_the_new_begins(world: World, who: Reporter, page: FlaskClient) -> None:
    """From the second visit on, and until the list was looked at again; people and duties stand beside it."""
    name = name_in(page)
    first = get(page, f"case/{name}")
    assert 'id="new"' not in first and "Reply: the reporter reads this" in first and "Note: colleagues only" in first
    assert first.index('aria-label="People and duties"') < first.index("What was said")
    world.follow_up(who)
    world.round("ombuds")
    for _ in range(2):
        shown = get(page, f"case/{name}")
        assert shown.count('id="new"') == 1 and 'href="#new"' in shown
        assert shown.index("Report by") < shown.index('id="new"') < shown.index("Follow-up by")
    get(page)
    assert 'id="new"' not in get(page, f"case/{name}")
