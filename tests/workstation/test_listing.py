"""The list as a queue to work through: titles and labels, filters, muting, and acknowledging many at once."""

import datetime
import re

import pytest
from flask.testing import FlaskClient

from tests import parties
from tests.workstation.carrying import PASSPHRASE, World, attach
from tests.workstation.test_app import HOST, get, post
from tests.workstation.test_commands import Desk
from tests.workstation.test_hostile import case_of
from whistle.protocol.case import envelope, message
from whistle.protocol.code.retrieval import Reporter, reference
from whistle.workstation import backup
from whistle.workstation.app import pages
from whistle.workstation.app.app import create_app
from whistle.workstation.app.pages import name_of
from whistle.workstation.cases import case_list, compose, overview
from whistle.workstation.cases.case_list import LATE, SOON, UNKNOWN, Filter
from whistle.workstation.duties import templates
from whistle.workstation.vault import check, filing, removal, search, terms

NOTHING_HERE = "No case is like this."


@pytest.fixture
def page(world: World) -> FlaskClient:
    """The page of the ombudsperson."""
    return create_app(world.station("ombuds"), world.stick, saved=world.folder / "saved", token="t").test_client()


def named(page: FlaskClient, who: Reporter) -> str:
    """A case's name in addresses."""
    with page.application.app_context():
        return name_of(who.case.hex())


def listed(page: FlaskClient) -> set[str]:
    """The cases that the first page lists."""
    return set(re.findall(r'name="case" value="([0-9a-f]{32})"', get(page)))


def told(world: World, *texts: str) -> list[Reporter]:
    """Reports with these texts in the ombudsperson's vault."""
    reporters = [world.report(text=text) for text in texts]
    world.round("ombuds")
    return reporters


def test_a_title_and_labels_are_shown_found_and_stay_here(world: World, page: FlaskClient) -> None:
    """In the list, the case and what is found; in every script, until others take their place; nothing is sent."""
    first, other = told(world, "One.", "Two.")
    name = named(page, first)
    assert "Only on this computer" in get(page, f"case/{name}")
    said = post(page, f"case/{name}/own", title="Copy\u202e room,\n3 May", labels="تحرش, retaliation, retaliation,")
    assert 'value="تحرش, retaliation"' in said and "<title>Workstation</title>" in said and "<h1" in said
    reference = case_of(world, first).reference
    row = get(page)
    assert "Copy" in row and "room, 3 May</a>" in row and reference in row and row.count(">retaliation<") == 1
    for words in ("room", "للتحرش retal", "COPY"):
        shown = post(page, "search", words=words)
        assert "room, 3 May</a>" in shown and "by its title or labels" in shown and ">retaliation<" in shown
    assert "room, 3 May</a>" in post(page, "search", words="one")  # a message of it
    station = world.station("ombuds")
    assert check.faults(station) == [] and not case_of(world, first, "ombuds").faults
    assert "No message" in get(page)
    post(page, f"case/{name}/own", title="", labels="cellar")
    assert [hit.case for hit in search.find(station, "cellar")] == [first.case.hex()]
    assert search.find(station, "room") == [] and search.find(station, "retaliation") == []
    assert "Not done: a title has at most 100" in post(page, f"case/{name}/own", title="x" * 101)
    assert "at most 16 labels" in post(page, f"case/{named(page, other)}/own", labels=",".join(map(str, range(17))))


def test_titles_survive_a_backup_and_leave_with_their_case(world: World) -> None:
    """A restored workstation finds them, so does an index made anew; a deleted case leaves none in the index."""
    kept, gone = told(world, "One.", "Two.")
    station = world.station("ombuds")
    for who, title in ((kept, "Hippopotamus"), (gone, "Rhinoceros")):
        filing.name(station, who.case.hex(), title, ["zoo"])
    filing.mute(station, case_of(world, kept))
    folder = backup.save(station, world.folder, PASSPHRASE, log_n=12).folder
    restored = backup.restore(folder, world.folder / "again", PASSPHRASE, PASSPHRASE, "test", lambda: world.day)
    try:
        with restored.change():
            restored.vault.station.terms = terms.VERSION - 1  # as an older program left it
        filing.name(restored, gone.case.hex(), "Elephant", [])
        assert [hit.case for hit in search.find(restored, "zoo")] == [kept.case.hex()]
        assert [row.title for row in case_list.rows(restored)[0]] == ["Elephant"] and check.faults(restored) == []
    finally:
        restored.close()
    compose.status(station, case_of(world, gone), "closed")
    world.round("ombuds", "ombuds")
    removal.remove(station, case_of(world, gone))
    assert [hit.case for hit in search.find(station, "zoo")] == [kept.case.hex()] and check.faults(station) == []


def test_every_filter_lists_what_it_says(world: World, page: FlaskClient) -> None:
    """And the counts beside it are the numbers of what it would list; labels of both kinds, channels not known yet."""
    _, attached = attach(b"a photograph")
    plain, arabic, filed = world.report(), world.report(language="ar"), world.report(attachments=(attached,))
    long = parties.reporter()
    folded, blocks = envelope.fold(parties.report(long, world.org, text="x" * 300_000, attachments=(attached,)), 8)
    world.carrier.put_blocks(blocks)
    world.send(message.sign(folded, long.signing), ("ombuds", "ethics"))
    world.day += datetime.timedelta(days=5)
    early = parties.reporter()
    world.follow_up(early)
    world.round("ombuds")
    station = world.station("ombuds")
    overview.mark_read(station, case_of(world, plain))
    compose.status(station, case_of(world, plain), "open", labels=["shared"], deadline=world.day)
    filing.name(station, arabic.case.hex(), "", ["own", "قبو", 'it says "cellar'])
    filing.mute(station, case_of(world, filed))
    channel = case_list.rows(station, kept=Filter(language="ar"))[0][0].channel or ""
    everyone = {plain, arabic, early, long}
    for kept, whom in {
        Filter(): everyone,
        Filter(channel=UNKNOWN): {early},
        Filter(channel=channel, unread=True): {arabic, long},
        Filter(status="open"): {plain},
        Filter(language="ar"): {arabic},
        Filter(label="own"): {arabic},
        Filter(label="قبو"): {arabic},
        Filter(label='it says "cellar'): {arabic},
        Filter(label="cellar"): set(),
        Filter(label="shared"): {plain},
        Filter(label="' OR 1"): set(),
        Filter(due=LATE): set(),
        Filter(due=SOON): everyone,
        Filter(muted=True): {filed},
        Filter(muted=True, files=True): {filed},
        Filter(files=True, unread=True): {long},
    }.items():
        rows, total = case_list.rows(station, kept=kept)
        assert {row.id for row in rows} == {each.case.hex() for each in whom} and total == len(rows), kept
    counts = case_list.counts(station)
    assert (counts.cases, counts.unread, counts.files, counts.status) == (4, 3, 1, {"open": 1, "new": 3})
    assert counts.channel == {channel: 3, UNKNOWN: 1} and counts.label["own"] == counts.label["shared"] == 1
    assert counts.due == {SOON: 4, LATE: 0} and counts.language["ar"] == 1
    assert case_list.counts(station, muted=True).files == 1
    world.day += datetime.timedelta(days=3)
    assert (
        case_list.counts(station).due == {SOON: 0, LATE: 4} and case_list.rows(station, kept=Filter(due=LATE))[1] == 4
    )


def test_a_filter_stands_in_no_address_and_is_cleared_by_one_press(
    world: World, page: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's address stays the same; further pages keep the filter; what was chosen is said in words."""
    monkeypatch.setattr(pages, "LISTED", 2)
    reporters = told(world, "One.", "Two.", "Three.", "Four.")
    for who in reporters[:3]:
        filing.name(world.station("ombuds"), who.case.hex(), "", ["cellar"])
    headers = {"Origin": HOST}
    answer = page.post("/t/filter", base_url=HOST, headers=headers, data={"label": "cellar", "due": "x"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/t/")
    shown = get(page)
    assert "<strong>3 of 4 cases</strong>: cellar" in shown and "Page 1 of 2" in shown and "cellar (3)" in shown
    assert len(listed(page)) == 2 and "Page 2 of 2" in get(page, "?page=2") and "cellar</option>" not in shown
    addresses = set(re.findall(r'(?:href|action)="([^"]*)"', shown))
    assert not any("cellar" in each for each in addresses)
    assert NOTHING_HERE in post(page, "filter", status="closed", label="<gone>") and "&lt;gone&gt;" in get(page)
    [clear] = re.findall(r'<form[^>]*action="([^"]*)"[^>]*>(?:(?!</form>).)*Clear the filter', get(page), re.DOTALL)
    assert "4 cases" in post(page, clear.removeprefix("/t/"))


def test_muted_cases_leave_the_list_until_a_colleague_writes(world: World, page: FlaskClient) -> None:
    """What the reporter writes is counted beside the list and does not bring them back, a colleague's note does."""
    junk, other = told(world, "Buy our watches.", "Something happened.")
    world.round("ethics")
    name, station = named(page, junk), world.station("ombuds")
    assert "Tick the cases first" in post(page, "ticked", do="mute")
    assert "1 case muted" in post(page, "ticked", do="mute", case=name)
    assert listed(page) == {named(page, other)} and "1 muted</p>" in get(page)
    assert [hit.case for hit in search.find(station, "watches")] == [junk.case.hex()]
    world.follow_up(junk)
    world.round("ombuds", "ethics")
    assert listed(page) == {named(page, other)} and "1 of them with something new" in get(page)
    assert listed_by(page, muted="on", unread="on") == {name}
    get(page, f"case/{name}")
    assert "with something new" not in post(page, "filter")
    compose.note(world.station("ethics"), case_of(world, junk, "ethics"), "These watches are the bribe.")
    world.round("ethics", "ombuds")
    assert listed(page) == {name, named(page, other)}
    post(page, f"case/{name}/mute", on="yes")
    assert name not in listed(page)
    post(page, f"case/{name}/mute", on="no")
    assert name in listed(page) and check.faults(station) == []


def listed_by(page: FlaskClient, **fields: str) -> set[str]:
    """The cases that a filter lists."""
    post(page, "filter", **fields)
    return listed(page)


def test_many_are_acknowledged_at_once_each_in_its_language(world: World, page: FlaskClient) -> None:
    """After a page that says to whom and in which words; nobody twice, and nobody without a report."""
    english, arabic, french, written = (world.report(language=each) for each in ("en", "ar", "fr", "en"))
    early = parties.reporter()
    world.follow_up(early)
    world.round("ombuds")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, written), "We have it.", mark="acknowledgement")
    everyone = [english, arabic, french, written, early]
    asked = post(page, "ticked", do="acknowledge", case=[named(page, each) for each in everyone])
    for language in ("ar", "en", "fr"):
        assert templates.shipped()["acknowledgement", language].partition("\n")[0] in asked
    assert "Acknowledge 3 reports" in asked and "there is no text in it" not in asked
    assert "is written already" in asked and "has not come yet" in asked
    assert len(case_of(world, english).replies) == 0  # nothing is signed before it is confirmed
    names = re.findall(r'name="case" value="(\w+)"', asked)
    texts = {"text-en": "Thank you.\r\nWe have it.", "text-ar": "شكرًا لك.", "text-fr": "Nous l’avons: {reference}"}
    for _ in range(2):  # as with the browser's way back
        said = post(page, "acknowledge", case=names, **texts)
    assert "Not acknowledged:" in said and said.count("is written already") == 3
    world.round("ombuds")
    replies = {each: case_of(world, each).replies for each in everyone}
    assert [len(each) for each in replies.values()] == [1, 1, 1, 1, 0]
    sent = [(replies[each][0].text, replies[each][0].mark) for each in (english, arabic, french)]
    assert [mark for _, mark in sent] == ["acknowledgement"] * 3
    said = ["Thank you.\nWe have it.", "شكرًا لك.", f"Nous l’avons: {reference(french.case)}"]
    assert [text for text, _ in sent] == said
    assert len(world.replies(english)) == 1


def test_an_acknowledgement_without_words_is_not_signed(world: World, page: FlaskClient) -> None:
    """The page says so."""
    [who] = told(world, "One.")
    said = post(page, "acknowledge", case=named(page, who), **{"text-en": " "})
    assert "there is nothing to send" in said and not case_of(world, who).replies
    station = world.station("ombuds")
    assert [templates.language_for(station, each) for each in ("ar-EG", "zh-hans", "x")] == ["ar", "zh", "en"]


def test_the_command_leaves_muted_cases_out(world: World) -> None:
    """It says how many there are, and lists them when asked; titles stand beside the cases."""
    junk, other = told(world, "Buy our watches.", "Something happened.")
    station = world.station("ombuds")
    filing.mute(station, case_of(world, junk))
    filing.name(station, other.case.hex(), "Copy room", [])
    station.close()
    (world.folder / "terminal").mkdir()
    desk = Desk(world.folder / "terminal")
    said = desk.run("cases", "--folder", station.vault.folder).output
    assert "Copy room\nMuted: 1, with something new: 0; `whistle workstation cases --muted`" in said
    muted = desk.run("cases", "--muted", "--folder", station.vault.folder).output
    assert reference(junk.case) in muted and "Copy room" not in muted and reference(junk.case) not in said


def test_filters_are_kept_under_names(world: World, page: FlaskClient) -> None:
    """By whom a case is answered too; a kept filter is listed by one press, until it is forgotten."""
    mine, _ = told(world, "One.", "Two.")
    station = world.station("ombuds")
    compose.status(station, case_of(world, mine), "open", claimed="ombuds")
    nobodys, own = Filter(claimed=UNKNOWN), Filter(claimed="ombuds")
    assert [case_list.rows(station, kept=each)[1] for each in (nobodys, own)] == [1, 1]
    assert case_list.counts(station).claimed == {UNKNOWN: 1, "ombuds": 1}
    assert "Ombudsperson (ombuds) (1)" in get(page) and "nobody yet (1)" in get(page)
    post(page, "filter", claimed="ombuds")
    assert listed(page) == {named(page, mine)} and "Keep this filter as" in get(page)
    post(page, "filter/keep", name="  Mine\u202e ")
    assert "1 to 40 characters" in post(page, "filter/keep", name=" ")
    post(page, "filter")
    assert len(listed(page)) == 2 and case_list.kept_filters(station) == {"Mine": own}
    post(page, "filter/kept", name="Mine")
    assert listed(page) == {named(page, mine)}
    restored = backup.restore(
        backup.save(station, world.folder, PASSPHRASE, log_n=12).folder,
        world.folder / "again", PASSPHRASE, PASSPHRASE, "test", lambda: world.day,
    )  # fmt: skip
    assert case_list.kept_filters(restored) == {"Mine": own}
    restored.close()
    post(page, "filter/kept", name="Mine", do="forget")
    assert case_list.kept_filters(station) == {}
    for number in range(case_list.MOST_KEPT):
        case_list.keep(station, str(number), own)
    assert "20 filters are kept" in post(page, "filter/keep", name="Another")
    case_list.keep(station, "3", nobodys)


def test_many_cases_are_labelled_as_one_act(world: World, page: FlaskClient) -> None:
    """Each of the ticked ones gets the label, and search finds them by it; if one has too many, none does."""
    first, second, other = (named(page, who) for who in told(world, "One.", "Two.", "Three."))
    station = world.station("ombuds")
    ticked = {"case": [first, second], "label": " Rhino\nceros "}
    assert "2 cases labelled: Rhino ceros" in post(page, "ticked", do="label", **ticked)
    post(page, "filter", label="Rhino ceros")
    assert listed(page) == {first, second} and len(search.find(station, "rhino")) == 2
    assert "0 cases" in post(page, "ticked", do="label", **ticked)
    assert "2 cases freed" in post(page, "ticked", do="unlabel", case=[first, second, other], label="Rhino ceros")
    assert search.find(station, "rhino") == [] and check.faults(station) == []
    post(page, f"case/{second}/own", labels=",".join(map(str, range(16))))
    assert "at most 16 labels" in post(page, "ticked", do="label", case=[first, second], label="One more")
    assert search.find(station, "more") == []
    assert "No label was typed" in post(page, "ticked", do="label", case=[first], label=" ")
