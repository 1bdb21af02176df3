"""A report that was sealed elsewhere and pasted into the form."""

import json
from pathlib import Path
from typing import Any

import flask
import pytest

from tests import parties
from tests.make_vectors import FOLDER
from tests.server.visitor import Visitor, answer, opened, reported, site, still, store_of
from whistle.protocol.case import attachment
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.reporter import submission
from whistle.protocol.reporter.compose import Draft, Writer
from whistle.server.config import Config, Rate
from whistle.server.instance import Instance
from whistle.store import Full, Heap

TEXT = "It was sealed in a library."
COPY = "Copy all of it again, from its first line to its last"


def sealed(org: parties.Organisation, who: Reporter, **changes: Any) -> str:
    """A report as a block of text, sealed on somebody's own computer."""
    draft = Draft("harassment", "en", TEXT, **changes)
    return submission.armored(Writer(org.known, parties.DAY, "device").report(draft, who))


@pytest.fixture
def who() -> Reporter:
    """Whoever holds the words."""
    return parties.reporter()


def test_a_pasted_report_is_stored(app: flask.Flask, org: parties.Organisation, who: Reporter) -> None:
    """The readers open it, the words that the computer showed find it, and the page shows no words."""
    visitor = Visitor(app).tell(sealed(org, who))
    assert visitor.answer.status_code == 200
    assert "Your message is stored" in visitor.text
    assert "Your twelve words are those that your computer showed you." in visitor.text
    assert not [name for form in visitor.page.forms for name, _ in form.fields if name == "words"]
    report = reported(app, org)
    assert (report.text, report.sealed, report.case) == (TEXT, "device", who.case.hex())
    answer(app, org, who, report, "We read it.")
    visitor.come_back(" ".join(words.encode(who.code)))
    assert "Can read your report: Ombudsperson and Ethics office." in visitor.text and "We read it." in visitor.text


def test_pasting_it_again_stores_it_once(app: flask.Flask, org: parties.Organisation, who: Reporter) -> None:
    """The same block, in either form of line ends and from any channel's form, is one report."""
    block = sealed(org, who)
    Visitor(app).tell(block)
    again = Visitor(app, "ar").tell("\r\n" + block.replace("\n", "\r\n") + "\n", channel="fraud")
    assert again.answer.status_code == 200 and "كلماتك الاثنتا عشرة هي التي عرضها عليك حاسوبك" in again.text
    assert len(opened(app, org, "ombuds")) == 1


def test_a_paste_with_another_slip_is_refused(tmp_path: Path, org: parties.Organisation, who: Reporter) -> None:
    """A report that is here already, with another slip beside it, changes nothing; the same again counts no more."""
    app = still(site(tmp_path, org, rates={**Config(tmp_path).rates, "send": Rate("1 per hour", "1 per hour")}))
    writer = Writer(org.known, parties.DAY, "device")
    one, other = (writer.report(Draft("harassment", "en", TEXT), who) for _ in range(2))
    mixed = submission.Submission(one.token, (one.envelopes[0], other.envelopes[1]), ())
    told = [Visitor(app).tell(submission.armored(each)).answer.status_code for each in (one, mixed, one)]
    assert told == [200, 422, 200]
    assert store_of(app).lookup([who.slip_id])[0].body == one.envelopes[1]


def test_a_pasted_report_may_bring_a_small_file(app: flask.Flask, org: parties.Organisation, who: Reporter) -> None:
    """Blocks that travel in the text are kept with the report."""
    sealer = attachment.Sealer()
    blocks, record = sealer.finish("a.txt", "text/plain")
    made = Writer(org.known, parties.DAY, "device").report(Draft("fraud", "en", "", attachments=(record,)), who)
    visitor = Visitor(app).tell(submission.armored(submission.Submission(made.token, made.envelopes, tuple(blocks))))
    assert visitor.answer.status_code == 200
    assert reported(app, org, "counsel").attachments == (record,)
    assert store_of(app).block(blocks[0][0], Heap.REVIEWERS) == blocks[0][1]


def test_an_older_manifest_is_fine(app: flask.Flask, org: parties.Organisation, who: Reporter) -> None:
    """A report may have been sealed by a list of readers that was renewed since."""
    block = sealed(org, who)
    with app.app_context():
        new = org.next()
        app.extensions["whistle"].published.install([(new.data, new.signature)])
    assert Visitor(app).tell(block).answer.status_code == 200
    assert reported(app, org).keys == org.known.keys


def _lose_a_line(block: str) -> str:
    lines = block.splitlines()
    return "\n".join([*lines[:50], *lines[51:]])


DAMAGE = {
    "cut off": lambda block: block[: len(block) // 2],
    "a line lost": _lose_a_line,
    "a letter changed": lambda block: block[:5000] + ("A" if block[5000] != "A" else "B") + block[5001:],
    "text behind": lambda block: block + "\nThank you.",
    "twice": lambda block: block * 2,
    "text before": lambda block: "Hello\n" + block,
    "first line lost": lambda block: block.partition("\n")[2],
    "last line lost": lambda block: block.rpartition("-----END")[0],
    "a greeting amid": lambda block: block.replace("\n", "\nHello\n", 1),
    "lines of base64 alone": lambda block: "\n".join(block.splitlines()[1:-1]),
    "some lines of it": lambda block: "\n".join(block.splitlines()[100:130]),
    "quoted, some lines of it": lambda block: "\n".join(f"> {line}" for line in block.splitlines()[100:130]),
    "one line of base64": lambda block: "".join(block.splitlines()[1:-1]),
    "small letters": lambda block: block.replace(submission.LABEL, submission.LABEL.lower()),
    "first line alone": lambda block: block.partition("\n")[0],
    "its name alone": lambda _: "\u2014 WHISTLE SEALED\u00a0REPORT \u2014",
    "strange letters": lambda block: block[:5000] + block[5000:].replace("x", "х"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_paste_is_given_back(
    app: flask.Flask, instance: Instance, org: parties.Organisation, who: Reporter, damage: Any
) -> None:
    """The page says what to do, keeps the text, and nothing is stored, sealed as text or otherwise."""
    pasted = damage(sealed(org, who))
    visitor = Visitor(app).tell(pasted)
    assert visitor.answer.status_code == 422 and COPY in visitor.text
    [text] = [value for name, value in visitor.page.form("send").fields if name == "text"]
    assert text.splitlines() == pasted.splitlines()
    assert instance.store.days() == []


EDITED = sorted(path for path in FOLDER.glob("pasted_*.json") if path.stem != "pasted_label_of_age")


@pytest.mark.parametrize("path", EDITED, ids=lambda path: path.stem)
def test_a_paste_is_stored_as_what_it_is_or_not_at_all(tmp_path: Path, path: Path) -> None:
    """Whatever an editor or a mailer made of it: its envelopes are stored, or nothing; never a text."""
    vector = json.loads(path.read_text("utf-8"))
    is_read = vector["expect"] == "ok"
    slots = vector["input"]["slots"]
    app = site(tmp_path, parties.organisation(slots=slots), slots=slots)
    visitor = Visitor(app).tell((FOLDER / f"{path.stem}.txt").read_text("utf-8"))
    assert visitor.answer.status_code == (200 if is_read else 422)
    assert bool(app.extensions["whistle"].store.days()) == is_read
    assert ("those that your computer showed you" in visitor.text) == is_read


@pytest.mark.parametrize("damage", ["whole", "some lines of it", "its name alone"])
@pytest.mark.parametrize("where", ["answer", "follow-up", "renew"])
def test_it_is_sealed_nowhere_as_a_text(
    app: flask.Flask, org: parties.Organisation, who: Reporter, where: str, damage: str
) -> None:
    """Not in an answer, a follow-up or what goes with new words: the page says what to do."""
    pasted = DAMAGE.get(damage, str)(sealed(org, who))
    visitor = Visitor(app)
    if where == "answer":
        visitor.tell("See below.", **{"answer-when": pasted})
    else:
        visitor.tell("Before.").come_back(visitor.words)
        visitor = visitor.step("exposed") if where == "renew" else visitor
        visitor.step(where, {"text": pasted})
    assert "This is a sealed report, or a part of one, and none of it was stored." in visitor.text
    assert [found.message.text for found in opened(app, org, "ombuds")] == ([] if where == "answer" else ["Before."])


def test_a_paste_for_another_place_is_given_back(app: flask.Flask, instance: Instance, who: Reporter) -> None:
    """Envelopes of another size belong to another instance."""
    visitor = Visitor(app).tell(sealed(parties.organisation(slots=4), who))
    assert visitor.answer.status_code == 422 and COPY in visitor.text
    assert instance.store.days() == []


@pytest.mark.parametrize(
    "beside",
    [{"files": [("a.txt", b"hello")]}, {"answer-when": "in May"}, {"without": ["ethics"]}],
    ids=["file", "answer", "tick"],
)
def test_a_sealed_report_is_sent_alone(
    app: flask.Flask, instance: Instance, org: parties.Organisation, who: Reporter, beside: dict[str, Any]
) -> None:
    """What stands beside it could not reach its readers, so it is refused and nothing is lost silently."""
    visitor = Visitor(app).tell(sealed(org, who), **beside)
    assert visitor.answer.status_code == 422 and "A sealed report is sent alone." in visitor.text
    assert not [counted for counted in instance.store.days() if counted.envelopes]


def test_one_that_was_withdrawn_is_not_said_to_be_stored(
    app: flask.Flask, org: parties.Organisation, who: Reporter
) -> None:
    """What is gone stays gone, and the page does not claim otherwise."""
    block = sealed(org, who)
    Visitor(app).tell(block)
    assert store_of(app).withdraw(who.report_id, who.slip_id) == "withdrawn"
    visitor = Visitor(app).tell(block)
    assert visitor.answer.status_code == 422 and "perhaps because it was withdrawn" in visitor.text


def test_a_full_disk_says_so(
    app: flask.Flask, instance: Instance, org: parties.Organisation, who: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stored, and the text is given back."""

    def full(*_: object) -> None:
        raise Full("no room")

    monkeypatch.setattr(type(instance.store), "commit", full)
    visitor = Visitor(app).tell(sealed(org, who))
    assert visitor.answer.status_code == 422 and "Our server is full." in visitor.text


def test_armour_of_another_kind_is_a_text(app: flask.Flask, org: parties.Organisation) -> None:
    """An armoured age file, or words about one, are sealed as the text that they are."""
    text = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----"
    Visitor(app).tell(text)
    assert reported(app, org).text == text
