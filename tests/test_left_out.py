"""A reviewer whom the reporter left out opens nothing of that case, whatever anybody else's program does.

A whole organisation at work: a server, a courier, a workstation for each reviewer, and a reporter with a browser who
leaves out one of the readers of the channel.  That one then tries every key on everything that lies anywhere.
"""

import io
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import parties
from tests.office import Office, working
from tests.second_ids import OUT, SECOND_IDS
from tests.server.visitor import Visitor, hide
from tests.workstation.carrying import PASSPHRASE
from whistle.ceremony.root import Keys, write_outbox
from whistle.courier.errors import BadServer
from whistle.courier.manifests import Manifests
from whistle.protocol import age
from whistle.protocol.case import envelope, message
from whistle.protocol.case.attachment import block_ids
from whistle.protocol.case.message import Grant, Have, Message, Note, Reply, Report, Signed, Status
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive, place_ids
from whistle.protocol.errors import ProtocolError
from whistle.protocol.reporter.compose import Draft, NobodyLeft, Writer
from whistle.protocol.transfer import bundle
from whistle.protocol.trust.manifest import SignedManifest
from whistle.reporter import errors as reporter_errors
from whistle.reporter import manifests as reporter_manifests
from whistle.server.instance import here
from whistle.server.sealing import arrival
from whistle.workstation import backup
from whistle.workstation.cases import case_export, chain, compose, overview
from whistle.workstation.cases.overview import Case
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.exchange import outbox
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.vault import keyfile
from whistle.workstation.vault.models import Base

LONG = "The ethics office itself takes the money. " * 900  # travels as `rest`
SAID = ["takes the money", "receipts", "Who signed", "Keep this", "Knows invoices", "Every month", "hushed"]


class Told:
    """A report that leaves one out, and a colleague who was let in; `words` are the reporter's."""

    def __init__(self, office: Office) -> None:
        files = [("receipts.pdf", b"receipts of the ethics office" * 20_000)]
        self.office = office
        self.visitor = Visitor(office.app).tell(LONG, files=files, without=[OUT])
        self.words = " ".join(words.encode(words.decode(self.visitor.words)))
        self.reporter: Reporter = derive(words.decode(self.visitor.words))
        self.case = self.reporter.case.hex()
        office.round("ombuds", OUT)
        compose.grant(office.stations["ombuds"], office.case("ombuds", self.case), "counsel", "Knows invoices")
        office.round("ombuds", "counsel")

    def go_on(self) -> "Told":
        """With every kind of message, long ones, files, and a follow-up to whoever was let in too."""
        office, ombuds, counsel = self.office, self.office.stations["ombuds"], self.office.stations["counsel"]
        compose.reply(ombuds, office.case("ombuds", self.case), "Who signed?" * 3000, [_file("Keep this.")])
        compose.note(ombuds, office.case("ombuds", self.case), "Not a word to ethics: hushed.", [_file("hushed")])
        compose.status(ombuds, office.case("ombuds", self.case), "open", text="hushed", claimed="ombuds")
        self.follow_up("Every month.", [("list.txt", b"Every month")])
        office.round("ombuds", "counsel")
        compose.reply(counsel, office.case("counsel", self.case), "Thank you.", [_file("Thank you")])
        office.round()
        return self

    def look(self) -> str:
        """What the reporter reads on coming back."""
        return self.visitor.come_back(self.words).text

    def follow_up(self, text: str, files: Sequence[tuple[str, bytes]] = ()) -> None:
        """The reporter comes back and adds something."""
        self.look()
        self.visitor.step("follow-up", {"text": text}, files)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A case in which everything has happened; the tests follow each other in it."""
    with working(tmp_path_factory.mktemp("office")) as office:
        yield Told(office).go_on()


def _file(content: str) -> Upload:
    return Upload(f"{content}.txt", "text/plain", io.BytesIO(content.encode() * 9))


def test_every_key_of_the_one_left_out_opens_nothing(told: Told) -> None:
    """No envelope of either heap, stick, outbox, mirror or backup opens, and no block can be put together."""
    office = told.office
    Visitor(office.app).tell("The lift is broken.")  # the control: a report that leaves nobody out
    office.round()
    kinds = [entry.content.kind for entry in office.case("counsel", told.case).entries]
    assert {"report", "follow-up", "reply", "note", "status", "grant"} <= set(kinds)
    for id in ("ombuds", "counsel"):
        compose.note(office.stations[id], office.case(id, told.case), "Still in the outbox: hushed.")
        exchange(office.stations[id], office.where / f"stick-{id}")
        backup.save(office.stations[id], office.where / f"usb-{id}", PASSPHRASE, keyfile.CHEAP_LOG_N)
    case = office.case("ombuds", told.case)
    exported, _ = case_export.export(office.stations["ombuds"], case, office.where / "exports")
    assert "takes the money" in (exported / "record.txt").read_text()

    keys = office.org.people[OUT].identities
    tried = list(_sealed(office.where))
    opened = {found.hash: found.message for found in (_opened(keys, body) for body in tried) if found}
    assert len(tried) > 50
    assert [each.text for each in opened.values() if isinstance(each, Report)] == ["The lift is broken."]
    assert len(opened) == 1 and not any(each.case == told.case for each in opened.values())
    _nothing_in_the_vault(told)


def _sealed(where: Path) -> Iterator[bytes]:
    """Whatever could be sealed: all bodies of the server's database, files anywhere, members of bundles."""
    for path in sorted(where.rglob("*")):
        if not path.is_file() or "exports" in path.parts:
            continue
        if path.suffix == ".tar":
            with path.open("rb") as file:
                yield from (body.read() for member, body in bundle.Reader(file) if member.is_envelope)
        elif path.suffix == ".sqlite" and "server" in path.parts:
            yield from _bodies(path)
        elif path.read_bytes().startswith(b"age-encryption.org/v1\n"):
            yield path.read_bytes()


def _bodies(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            if "body" in columns:
                yield from (body for (body,) in database.execute(f"SELECT body FROM {table}") if body)


def _opened(keys: list[Any], body: bytes) -> Signed | None:
    try:
        return envelope.split(age.decrypt(keys, body))
    except ProtocolError:
        return None


def _nothing_in_the_vault(told: Told) -> None:
    """No record of that one's vault tells of the case; its blocks are there, and their keys nowhere."""
    office = told.office
    vault = office.stations[OUT].vault
    tables = [vault.session.execute(table.select()).all() for table in Base.metadata.sorted_tables]
    records = "\n".join(str(value) for rows in tables for row in rows for value in row)
    held = [record for _, record in overview.files(office.case("counsel", told.case))]
    hidden = [told.case, *SAID, *(each.seed for each in held), *(each.identity for each in held)]
    assert "The lift is broken." in records and not [each for each in hidden if each in records]
    assert told.case not in office.stations[OUT].case_ids()


def test_honest_programs_let_nobody_left_out_in(told: Told) -> None:
    """No grant, claim, reader or follow-up leads to whoever was left out."""
    office = told.office
    for id in ("ombuds", "counsel"):
        case = office.case(id, told.case)
        assert OUT in case.without and OUT not in case.allowed
        with pytest.raises(Refused, match="left ethics out"):
            compose.grant(office.stations[id], case, OUT)
        with pytest.raises(Refused, match="reads the case"):
            compose.status(office.stations[id], case, "open", claimed=OUT)
        for signed in case.messages:
            assert OUT not in signed.message.readers and signed.message.without == (OUT,)


ROGUE: dict[str, dict[str, Any]] = {
    "a note": {"kind": Note},
    "a status": {"kind": Status, "status": "open"},
    "a reply": {"kind": Reply},
    "a grant": {"kind": Grant, "grantee": OUT, "lane": 8},
    "a grant with the report": {"kind": Grant, "grantee": OUT, "lane": 8, "inside": "whole"},
    "a grant with a doctored report": {"kind": Grant, "grantee": OUT, "lane": 8, "inside": "doctored"},
    "a grant of the follow-up alone": {"kind": Grant, "grantee": OUT, "lane": 8, "inside": "follow-up"},
}


@pytest.mark.parametrize("what", ROGUE)
def test_a_colluding_colleague_brings_nobody_in(told: Told, what: str) -> None:
    """A message that a colleague's program seals to somebody left out is saved nowhere and changes no later one."""
    office = told.office
    _send(told, _rogue(told, **ROGUE[what]))
    [out] = office.round(OUT)
    assert not out.kept and not out.findings and told.case not in office.stations[OUT].case_ids()
    assert not office.round(OUT)[0].kept
    [honest] = office.round("ombuds")
    assert any(f"{OUT}, whom the reporter left out" in finding for finding in honest.findings)
    case = office.case("ombuds", told.case)
    assert OUT not in case.allowed and any("ethics" in fault for fault in case.faults)
    assert OUT not in compose.note(office.stations["ombuds"], case, "Who was that?").message.readers
    told.follow_up("Do they know now?")
    assert "Are you hushed" not in told.look()
    office.round("ombuds", OUT)
    newest = office.case("ombuds", told.case).by_reporter[-1]
    assert OUT not in newest.readers and newest.without == (OUT,)
    assert told.case not in office.stations[OUT].case_ids()


def _rogue(told: Told, kind: type[Message], inside: str = "", **more: Any) -> Signed:
    """A message by the granted colleague that names whoever was left out as a reader, and nobody as left out."""
    office, case = told.office, told.office.case("counsel", told.case)
    fields: dict[str, Any] = {
        "case": case.id, "readers": ("ombuds", "counsel", OUT), "without": (), "keys": office.org.known.keys,
        "sender": "counsel", "day": parties.DAY, **chain.follow(case.messages, "counsel"), **more,
    }  # fmt: skip
    if kind is Reply:
        assert case.sender is not None
        place = {"to": case.sender.mailbox, "lane": 8, "n": 1, "have": Have(1, parties.DAY), "language": "en"}
        fields |= {**place, "text": "Are you hushed?"}
    if kind is Grant:
        fields["originals"] = tuple(_inside(case, inside))
    folded, blocks = envelope.fold(kind(**fields), office.org.manifest.slots)
    for id, body in blocks:
        office.stations["counsel"].blocks.write(id, body)
    return message.sign(folded, office.org.people["counsel"].secret.signing)


def _inside(case: Case, what: str) -> Iterator[message.Original]:
    for signed in case.messages:
        if what == "whole" or signed.message.kind == what:
            yield message.original(signed)
        elif what == "doctored" and isinstance(signed.message, Report):
            line = message.encode(replace(signed.message, without=()))
            yield message.original(replace(signed, line=line))


def _send(told: Told, signed: Signed) -> None:
    """Seal it as no honest program would, to whoever was left out too, and let the courier take it."""
    office = told.office
    keys = [*office.org.manifest.recipients(("ombuds",), parties.DAY), office.org.people[OUT].identities[0].recipient]
    body = envelope.seal(signed, keys, office.org.manifest.slots, parties.POOL)
    copies = [outbox.Sealed(os.urandom(16), "reviewers", body)]
    if isinstance(signed.message, Reply):
        place = place_ids(told.reporter.replies, signed.message.lane)[signed.message.n]
        mailbox = [told.reporter.mailbox.recipient]
        copies.append(outbox.Sealed(place, "reporters", envelope.seal(signed, mailbox, office.org.manifest.slots)))
    counsel = office.stations["counsel"]
    rest = getattr(signed.message, "rest", None)
    with counsel.change():
        outbox.add(counsel, signed.hash, copies, block_ids(rest) if rest else [], "reviewers")
    office.round("counsel")


def _returned(office: Office) -> dict[str, Any]:
    """Retired by one manifest, and active again by the next."""
    gone = tuple(replace(each, retired=each.id == OUT) for each in office.org.manifest.reviewers)
    before = {"reviewers": office.org.manifest.reviewers, "channels": office.org.manifest.channels}
    channels = tuple(
        replace(each, readers=tuple(id for id in each.readers if id != OUT)) for each in office.org.manifest.channels
    )
    office.install(reviewers=gone, channels=channels)
    office.round("ombuds", "counsel")
    return before


def _rolled(office: Office) -> dict[str, Any]:
    """With a second set of keys beside the first, under another name and role."""
    [own] = [each for each in office.org.manifest.reviewers if each.id == OUT]
    fresh = office.org.people[OUT] = parties.person(OUT, "Integrity office")
    signing = (replace(own.signing[0], last=parties.DAY), *fresh.listed().signing)
    rolled = replace(fresh.listed(), signing=signing)
    return {"reviewers": tuple(rolled if each.id == OUT else each for each in office.org.manifest.reviewers)}


def test_a_server_that_hides_the_slip_brings_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its slip a case takes no follow-up: nobody could tell whom a colluding reply may not bring in."""
    with working(tmp_path) as office:
        told = Told(office)
        told.look()
        rogue = _rogue(told, Reply)
        _send(told, rogue)
        hide(monkeypatch, told.reporter.slip_id)
        assert "Nobody who may read your case" in told.visitor.step("follow-up", {"text": "Is anybody there?"}).text
        assert "Are you hushed" in told.look() and "damaged or missing" in told.look()
        office.round()
        assert len(office.case("ombuds", told.case).by_reporter) == 1
        with office.app.app_context():
            view = arrival.view_case(told.reporter, here().published.now(), here().store, parties.DAY)
        assert view and OUT in view.replies[0].reply.readers
        with pytest.raises(NobodyLeft):
            Writer(office.org.known, parties.DAY, "device").follow_up(
                Draft("", "en", "More."), told.reporter, view, bytes(32), bytes(32)
            )


@pytest.mark.parametrize("change", [_returned, _rolled])
def test_no_manifest_opens_the_case(tmp_path: Path, change: Any) -> None:
    """Somebody left out stays out, even after returning with fresh keys and another name."""
    with working(tmp_path) as office:
        _new_manifest(Told(office), change)


def _new_manifest(told: Told, change: Any) -> None:
    office = told.office
    keys = [*office.org.people[OUT].identities]
    office.install(**change(office))
    office.round()
    case = office.case("ombuds", told.case)
    with pytest.raises(Refused, match=f"left {OUT} out"):
        compose.grant(office.stations["ombuds"], case, OUT)
    rogue = _rogue(told, Grant, "whole", grantee=OUT, lane=8)
    reply = _rogue(told, Reply)
    for signed in (rogue, reply):
        _send(told, signed)
    compose.note(office.stations["ombuds"], case, "Between the two of us.")
    told.follow_up("Is anybody there?")
    office.round()
    assert office.stations[OUT].case_ids() == []
    newest = office.case("ombuds", told.case).by_reporter[-1]
    assert OUT not in newest.readers and newest.without == (OUT,)
    for body in _sealed(office.where):
        found = _opened([*keys, *office.org.people[OUT].identities], body)
        assert found is None or found.message.case != told.case or found.hash in {rogue.hash, reply.hash}


@pytest.mark.parametrize("what", SECOND_IDS)
def test_no_program_takes_a_manifest_with_a_second_id(told: Told, tmp_path: Path, what: str) -> None:
    """What a root lists by mistake under another id is refused by server, courier, workstation and reporter."""
    office, roots = told.office, [told.office.org.root.public]
    chain = [office.org.known, *SECOND_IDS[what](office.org)]
    files = _published(chain)
    stick = tmp_path / "stick"
    (stick / "outbox").mkdir(parents=True)
    write_outbox(stick, Keys(tmp_path, tuple(roots), tuple(chain)), parties.DAY)
    assert office.courier.push(stick).manifest.startswith("refused: ")

    with pytest.raises(Untrusted, match="does not fit"):
        office.stations["ombuds"].trust.take(files)
    courier = Manifests(tmp_path / "courier", roots)
    with pytest.raises(BadServer, match="refused"):
        courier.refresh(files.get, parties.DAY)
    with pytest.raises(reporter_errors.Untrusted):
        reporter_manifests.succession(files.get, roots, parties.DAY)
    assert (office.stations["ombuds"].trust.serials(), office.org.known.manifest.serial) == ([1], 1)
    with office.app.app_context():
        assert [known.manifest.serial for known in here().published.now().manifests] == [1]


def _published(chain: Sequence[SignedManifest]) -> dict[str, bytes]:
    """Manifests as a server publishes them, and a bundle holds them."""
    named = [(f"manifest-{number}", each) for number, each in enumerate(chain, 1)] + [("manifest", chain[-1])]
    files = {f"{name}.json": each.data for name, each in named}
    return {**files, **{f"{name}.json.minisig": each.signature for name, each in named}}
