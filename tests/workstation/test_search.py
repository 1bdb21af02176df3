"""Searching the vault: in every script, by words alone, and without a trace of what was deleted."""

import io
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from tests.parties import report, reporter
from tests.workstation.carrying import World, attach
from tests.workstation.test_app import HOST, get, post
from tests.workstation.test_hostile import case_of
from whistle.protocol.case import envelope, message
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import case_list, compose, overview
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import Refused
from whistle.workstation.vault import database, removal, search, terms
from whistle.workstation.vault.models import CaseRow, MessageRow
from whistle.workstation.workstation import Workstation

FOUND = [
    ("The café on the third floor.", "CAFE thi"),
    ("She signed the 2026 contract twice.", '"signed the 2026" -thrice'),
    ("Straße und Öffentlichkeit", "offentlich"),
    ("他遭到性骚扰。", "骚扰"),
    ("上司からのパワハラ", "パワハラ"),
    ("การคุกคามทางเพศในที่ทำงาน", "คุกคาม"),
    ("تعرّضت للتحرّش في المكتب", "تحرش"),
    ("والموظفون في الشركة ٢٠٢٦", "موظفون 2026"),
    ("Его ещё раз обвинили в вымогательстве", "еще вымога"),
    ("उसने रिश्वत माँगी", "रिश्वत"),
    ("그는 뇌물을 요구했다", "뇌물"),
    ("ＦＵＬＬ ｗｉｄｔｈ", "full width"),
    ("soft\u00adhyphen and zero\u200bwidth", "softhyphen zerowidth"),
    ("הוא דרש שׁוֹחַד", "שוחד"),
]
NOT_FOUND = [
    ("The café on the third floor.", "fourth"),
    ("The café on the third floor.", "third -café"),
    ("The café on the third floor.", '"café third"'),
    ("他遭到性骚扰。", "扰骚"),
    ("The café on the third floor.", "-nothing"),
    ("The café on the third floor.", "… — !"),
]


def told(world: World, *texts: str) -> list[str]:
    """Cases with these texts in the ombudsperson's vault."""
    cases = [world.report(text=text).case.hex() for text in texts]
    world.round("ombuds")
    return cases


def found(station: Workstation, typed: str) -> list[str]:
    """The cases that are found."""
    return [hit.case for hit in search.find(station, typed)]


def marked(station: Workstation, typed: str) -> list[str]:
    """What is marked in the only message that is found."""
    [hit] = search.find(station, typed)
    return [text for text, is_marked in hit.excerpt if is_marked]


def test_words_of_every_script_are_found(world: World) -> None:
    """By their beginning, whatever their accents, vowel signs, width or article; without spaces, anywhere in a text."""
    texts = list(dict.fromkeys(text for text, _ in FOUND))
    cases = dict(zip(texts, told(world, *texts), strict=True))
    station = world.station("ombuds")
    assert {typed: found(station, typed) for _, typed in FOUND} == {typed: [cases[text]] for text, typed in FOUND}
    assert all(marked(station, typed) for _, typed in FOUND)
    assert {typed: cases[text] in found(station, typed) for text, typed in NOT_FOUND} == {
        typed: False for _, typed in NOT_FOUND
    }
    assert marked(station, "CAFE thi") == ["café", "third"] and marked(station, "骚扰") == ["骚扰"]


def test_answers_notes_labels_and_file_names_are_found(world: World) -> None:
    """And what came in blocks, once these have come; the newest first."""
    _, attached = attach(b"a photograph", "Copy room.jpg")
    who = world.report(text="A report.", answers={"where": "In the cellar."}, attachments=(attached,))
    world.round("ombuds")
    station, case = world.station("ombuds"), who.case.hex()
    compose.note(station, case_of(world, who), "A note on elephants.", [Upload("list.ods", "", io.BytesIO(b"x"))])
    compose.status(station, case_of(world, who), "open", labels=["retaliation"], text="Opened for a reason.")
    for typed in ("report", "cellar", "copy jpg", "elephants", "list", "retaliation", "reason"):
        assert found(station, typed) == [case], typed
    assert [hit.number for hit in search.find(station, "a")] == [3, 2, 1]
    long = reporter()
    folded, rest = envelope.fold(report(long, world.org, text="giraffe " * 40_000), 8)
    world.send(message.sign(folded, long.signing), ("ombuds",))
    world.round("ombuds")
    assert found(station, "giraffe") == []
    world.carrier.put_blocks(rest)
    world.round("ombuds")
    assert found(station, "giraffe") == [long.case.hex()]


TYPED = st.text(st.sampled_from('ab"-*:^(){}+ \x00\ud800\u0301\ue000骚ا') | st.characters(), max_size=40)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Workstation:
    """A vault with one message."""
    world = World(tmp_path_factory.mktemp("searched"))
    told(world, "AND so it was NEAR the end, body: words")
    return world.station("ombuds")


@given(TYPED)
@settings(deadline=None, max_examples=300)
def test_nothing_that_is_typed_is_a_query(searched: Workstation, typed: str) -> None:
    """Whatever somebody types is words to look for; none of it is FTS5's language, and none of it is an error."""
    for each in (typed, f"it {typed}", f'"{typed}"', f"-{typed} it"):
        for hit in search.find(searched, each):
            assert "".join(text for text, _ in hit.excerpt) == "AND so it was NEAR the end, body: words"


def test_operators_are_words(searched: Workstation) -> None:
    """`AND`, `NEAR` and a column's name are looked for like others."""
    assert all(found(searched, typed) for typed in ("AND", "it NEAR end", "body: words", "wo*", "(so", "body:words"))
    assert not any(found(searched, typed) for typed in ("OR", "it OR end", "NOT", "rank"))


def test_the_page_marks_what_is_found(world: World) -> None:
    """A form sends the words, no address holds them, and each result leads to its message."""
    who = world.report(text="<b>Elephants</b> in the \u202ecopy room.")
    world.round("ombuds")
    page = create_app(world.station("ombuds"), world.stick, token="t").test_client()
    world.follow_up(who, text="More elephants.")
    world.round("ombuds")
    answer = page.post("/t/search", base_url=HOST, headers={"Origin": HOST}, data={"words": "eleph"})
    assert answer.status_code == 303 and "eleph" not in answer.headers["Location"] and not answer.data.count(b"eleph")
    shown = get(page, "found")
    assert "&lt;b&gt;<mark>Elephants</mark>&lt;/b&gt;" in shown and "\u202e" not in shown and 'value="eleph"' in shown
    [newest, oldest] = re.findall(r"/t/case/([0-9a-f]{32}\?before=\d)\"", shown)
    assert "More elephants" in get(page, f"case/{newest}") and "More elephants" not in get(page, f"case/{oldest}")
    assert "No message holds all of these words" in post(page, "search", words="giraffe")
    assert page.get("/t/search", base_url=HOST).status_code == 405


def test_another_form_of_terms_makes_the_index_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version may look at words in another way: the index is made from the messages again."""
    [case] = told(world, "A giraffe.")
    monkeypatch.setattr(terms, "VERSION", terms.VERSION + 1)
    monkeypatch.setattr("whistle.workstation.vault.index.terms", lambda text: text.replace("giraffe", "elephant"))
    station = world.station("ombuds")
    assert found(station, "elephant") == [case] and found(station, "giraffe") == []


def test_the_index_takes_some_messages_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends in between leaves the others to the next."""
    monkeypatch.setattr(search, "SLICE", 2)
    monkeypatch.setattr(search, "fill", lambda *_, **__: None)
    cases = told(world, *(f"Giraffe {number}." for number in range(5)))
    monkeypatch.undo()
    monkeypatch.setattr(search, "SLICE", 2)
    station, slices = world.station("ombuds"), []
    put = search.index.put
    monkeypatch.setattr(search.index, "put", lambda session, texts: slices.append(len(texts)) or put(session, texts))
    assert sorted(found(station, "giraffe")) == sorted(cases) and slices == [2, 2, 1]
    monkeypatch.setattr(search, "SLICE", 200)
    monkeypatch.setattr(search, "ROOM", 30)  # however few messages, their texts are held a few at a time
    monkeypatch.setattr(terms, "VERSION", terms.VERSION + 1)
    assert len(found(station, "giraffe")) == 5 and max(slices[3:]) == 4


def plain_pages(path: Path, key: bytes) -> bytes:
    """Every page of a vault's database, decrypted by hand: those in use and those that are free."""
    data, pages = path.read_bytes(), []
    for start in range(0, len(data), 4096):
        page, skip = data[start : start + 4096], 0 if start else 16  # the first begins with the salt
        decryptor = Cipher(algorithms.AES(key), modes.CBC(page[-80:-64])).decryptor()
        pages.append(decryptor.update(page[skip:-80]) + decryptor.finalize())
    return b"".join(pages)


def test_of_a_deleted_case_nothing_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its texts nor its words stand in any page, free ones included; only a closed case can be deleted."""
    keys: list[bytes] = []
    engine = database.engine
    monkeypatch.setattr(database, "engine", lambda path, key, note: keys.append(key) or engine(path, key, note))
    gone, kept = (world.report(text=f"{word}. " * 900) for word in ("Rhinoceros", "Hippopotamus"))
    world.round("ombuds")
    station, path = world.station("ombuds"), world.folder / "ombuds" / "vault.db"
    compose.reply(station, case_of(world, gone), "Rhinoceros, indeed.")
    with pytest.raises(Refused, match="not closed"):
        removal.remove(station, case_of(world, gone))
    compose.status(station, case_of(world, gone), "closed", text="Rhinoceros gone.")
    with pytest.raises(Refused, match="on its way"):
        removal.remove(station, case_of(world, gone))
    for _ in range(2):
        world.round("ombuds")
    assert len(found(station, "rhinoceros")) == 3
    assert {b"Rhinoceros", b"rhinoceros"} <= words_in(plain_pages(path, keys[0]))
    removal.remove(station, case_of(world, gone))
    left = plain_pages(path, keys[0])
    assert words_in(left) == {b"Hippopotamus", b"hippopotamus"}
    assert gone.case.hex().encode() not in left and kept.case.hex().encode() in left
    assert found(station, "rhinoceros") == [] and len(found(station, "hippopotamus")) == 1
    world.round("ombuds")
    assert station.case_ids() == [kept.case.hex()]


def words_in(pages: bytes) -> set[bytes]:
    """The planted words that stand there."""
    return {word for word in (b"Rhinoceros", b"rhinoceros", b"Hippopotamus", b"hippopotamus") if word in pages}


def test_the_columns_of_the_list_are_those_made_anew(world: World) -> None:
    """After a report, replies, statuses, a follow-up and reading, all of them are what the messages say."""
    first, second, third = (world.report(text=f"Report {number}.") for number in range(3))
    world.round("ombuds")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, first), "Thank you.")
    compose.status(station, case_of(world, second), "closed", claimed="ombuds")
    overview.mark_read(station, case_of(world, third))
    for _ in range(2):
        world.round("ombuds")
    world.follow_up(second)
    world.round("ombuds")
    shown, count = case_list.rows(station)
    assert [row.id for row in shown] == [case.id for case in overview.queue(station)] and count == 3
    assert shown[0].reopened
    columns = [column for column in CaseRow.__table__.columns if column.name != "stale"]
    before = station.vault.session.execute(select(*columns)).all()
    with station.change():
        station.vault.session.execute(update(CaseRow).values(rank=0, status="?", start=None, faulty=True, stale=True))
    case_list.refresh(station)
    assert station.vault.session.execute(select(*columns)).all() == before
    assert station.vault.session.scalar(select(func.count()).where(MessageRow.indexed != MessageRow.WHOLE)) == 0
