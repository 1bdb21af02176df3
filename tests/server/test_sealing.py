"""Sealing on arrival, and what the twelve words find."""

import dataclasses
import datetime
import os
from typing import Any

import flask
import pytest

from tests import parties
from tests.server.visitor import Clock, answer, opened, turn
from whistle.protocol.case import attachment, continuation, envelope, message
from whistle.protocol.case.message import FollowUp, Report
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive, place_ids
from whistle.protocol.errors import Malformed
from whistle.protocol.reporter.compose import Continued, Empty, HoldsWords, NobodyLeft, TooLong
from whistle.protocol.trust.manifest import Recovery
from whistle.server.errors import DiskFull, NoManifest
from whistle.server.instance import Instance
from whistle.server.sealing import arrival
from whistle.server.sealing.arrival import Draft, open_attachment
from whistle.store import Full, Heap, Sealed, State

DAY = parties.DAY
DRAFT = Draft("harassment", "en", "Something happened.")
CODE = b"sixteen bytes ok"


def send(instance: Instance, draft: Draft = DRAFT, code: bytes = CODE) -> Reporter:
    """Send a report."""
    reporter = derive(code)
    arrival.report(draft, reporter, instance.published.now(), instance.store, instance.today)
    return reporter


def add(instance: Instance, who: Reporter, draft: Draft, attempt: bytes = b"a" * 32, digest: bytes = b"d" * 32) -> None:
    """Send a follow-up."""
    view = look(instance, who)
    arrival.follow_up(draft, who, view, attempt, digest, instance.published.now(), instance.store, instance.today)


def look(instance: Instance, who: Reporter) -> arrival.CaseView:
    """Come back; something is there."""
    view = arrival.view_case(who, instance.published.now(), instance.store, instance.today)
    assert view
    return view


def read(app: flask.Flask, org: parties.Organisation, reader: str) -> list[Any]:
    """The messages that a reviewer opens, their signatures checked."""
    found = opened(app, org, reader)
    for signed in found:
        message.check_reporter(signed)
    return [signed.message for signed in found]


def kept(instance: Instance, data: bytes, heap: Heap = Heap.REVIEWERS) -> tuple[attachment.Attachment, list[bytes]]:
    """A file in the store, its blocks not committed."""
    sealer = attachment.Sealer()
    blocks = sealer.update(data)
    last, record = sealer.finish("a.bin", "application/octet-stream")
    for id, block in blocks + last:
        instance.store.put_block(id, block, heap)
    return record, [id for id, _ in blocks + last]


def test_a_report_reaches_the_channel_and_nobody_else(
    app: flask.Flask, instance: Instance, org: parties.Organisation
) -> None:
    """The channel's readers open the report; another reviewer cannot; the slip opens with the words."""
    who = send(instance, dataclasses.replace(DRAFT, answers={"when": "May\r\n2026", "where": " "}))
    (report,) = read(app, org, "ombuds")
    assert isinstance(report, Report)
    assert (report.text, report.answers, report.sealed) == ("Something happened.", {"when": "May\n2026"}, "arrival")
    assert (report.readers, report.without, report.keys) == (("ombuds", "ethics"), (), org.known.keys)
    assert read(app, org, "ethics") == [report]
    assert read(app, org, "counsel") == []
    view = look(instance, who)
    assert view.slip and (view.slip.readers, view.slip.channel) == (("ombuds", "ethics"), "harassment")
    assert (view.state, view.day, view.replies, view.late) == (State.WAITING, DAY, (), 0)
    assert view.last_day == DAY + datetime.timedelta(days=400)


def test_a_report_on_two_days_of_one_size(instance: Instance) -> None:
    """Report and slip are envelopes of the same size, one for each heap."""
    who = send(instance)
    ids = [who.report_id, who.slip_id]
    found = instance.store.lookup(ids, bodies=tuple(Heap))
    assert {each.heap for each in found} == set(Heap)
    assert {len(each.body or b"") for each in found} == {envelope.size(8)}


def test_whoever_was_left_out_cannot_open_it(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """A reviewer who is ticked reads nothing, the others see who was left out, names unknown to the manifest go."""
    send(instance, dataclasses.replace(DRAFT, without=("ethics", "counsel", "stranger")))
    assert read(app, org, "ethics") == []
    (report,) = read(app, org, "ombuds")
    assert (report.readers, report.without) == (("ombuds",), ("counsel", "ethics"))


def test_nobody_left(instance: Instance) -> None:
    """When all of the channel's readers are left out nothing is stored."""
    with pytest.raises(NobodyLeft):
        send(instance, dataclasses.replace(DRAFT, without=("ombuds", "ethics")))
    with pytest.raises(NobodyLeft):
        send(instance, dataclasses.replace(DRAFT, channel="no-such-channel"))
    assert instance.store.days() == []


def test_the_same_code_changes_nothing(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """A reload finds its own report, whatever it holds now, even when it could no more be sealed."""
    first = send(instance)
    assert send(instance, dataclasses.replace(DRAFT, text="Another text.")) == first
    assert send(instance, dataclasses.replace(DRAFT, text="")) == first
    assert [report.text for report in read(app, org, "ombuds")] == ["Something happened."]


def test_the_same_form_twice_at_once(
    app: flask.Flask, instance: Instance, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two posts of one form that run side by side, one is stored and both succeed."""
    first = send(instance)
    missed = [False]
    has = type(instance.store).has
    monkeypatch.setattr(type(instance.store), "has", lambda store, id: missed.pop() if missed else has(store, id))
    assert send(instance, dataclasses.replace(DRAFT, text="Sealed a moment later.")) == first
    assert missed == []
    assert [report.text for report in read(app, org, "ombuds")] == ["Something happened."]


def test_only_readers_with_a_key_are_sealed_to(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """A channel's reader whose first key begins later is passed over; a chosen reader is no retired or unknown one."""
    late = parties.person("ethics", "Ethics office", DAY + datetime.timedelta(days=30)).periods
    reviewers = tuple(
        dataclasses.replace(each, recipients=late) if each.id == "ethics" else each for each in org.manifest.reviewers
    )
    known = org.next(reviewers=reviewers)
    instance.published.install([(known.data, known.signature)])
    send(instance)
    send(instance, dataclasses.replace(DRAFT, readers=("counsel", "stranger")), b"another 16 bytes")
    assert [report.readers for report in read(app, org, "ombuds")] == [("ombuds",)]
    assert [report.readers for report in read(app, org, "counsel")] == [("counsel",)]


def test_an_empty_report_is_refused(instance: Instance) -> None:
    """White space is no text; an answer or a file is enough."""
    with pytest.raises(Empty):
        send(instance, dataclasses.replace(DRAFT, text=" \n", answers={"when": " "}))
    with pytest.raises(Empty):  # to ask for advice is not yet to say anything
        send(instance, dataclasses.replace(DRAFT, text="", answers={"way": "advice"}))
    record, ids = kept(instance, b"evidence")
    send(instance, dataclasses.replace(DRAFT, text="", attachments=(record,), blocks=tuple(ids)))


def test_words_in_a_text_are_stopped(instance: Instance) -> None:
    """A report that holds any valid code, and a follow-up that holds its own, are stopped."""
    other = " ".join(words.encode(b"another 16 bytes", "fr"))
    with pytest.raises(HoldsWords):
        send(instance, dataclasses.replace(DRAFT, text=f"my words: {other}."))
    with pytest.raises(HoldsWords):
        send(instance, dataclasses.replace(DRAFT, answers={"when": other}))
    who = send(instance)
    with pytest.raises(HoldsWords):
        add(instance, who, dataclasses.replace(DRAFT, text=" ".join(words.encode(CODE, "en"))))
    add(instance, who, dataclasses.replace(DRAFT, text=f"not mine: {other}"))


def test_a_long_report_travels_in_an_attachment(
    app: flask.Flask, instance: Instance, org: parties.Organisation
) -> None:
    """200,000 characters fit into the same envelope, their content in committed blocks."""
    send(instance, dataclasses.replace(DRAFT, text="说" * 200_000))
    (report,) = read(app, org, "ombuds")
    assert report.text == "" and report.rest
    opener = attachment.Opener(report.rest)
    blocks = [instance.store.block(id, Heap.REVIEWERS) for id in attachment.block_ids(report.rest)]
    content = b"".join(opener.update(block or b"") for block in blocks) + opener.finish()
    assert message.with_content(report, content).text == "说" * 200_000  # type: ignore[attr-defined]


def test_files_are_kept_with_the_report(
    app: flask.Flask, instance: Instance, org: parties.Organisation, clock: Clock
) -> None:
    """Blocks are committed with the report, so the nightly sweep leaves them."""
    record, ids = kept(instance, os.urandom(400_000))
    send(instance, dataclasses.replace(DRAFT, attachments=(record,), blocks=tuple(ids)))
    turn(instance, DAY + datetime.timedelta(days=5))
    instance.store.sweep()
    assert all(instance.store.block(id, Heap.REVIEWERS) for id in ids)
    assert read(app, org, "ombuds")[0].attachments == (record,)


def test_a_full_disk_keeps_nothing(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the report is refused as such, and no half of it stays."""

    def full(*_: object) -> None:
        raise Full("no room")

    monkeypatch.setattr(type(instance.store), "commit", full)
    with pytest.raises(DiskFull):
        send(instance)
    monkeypatch.undo()
    assert arrival.view_case(derive(CODE), instance.published.now(), instance.store, DAY) is None


def test_nothing_is_sealed_past_the_manifest(instance: Instance, clock: Clock, org: parties.Organisation) -> None:
    """Thirty days after the manifest's end reports are refused, and words still find what is there."""
    who = send(instance)
    turn(instance, org.manifest.expires + datetime.timedelta(days=31))
    with pytest.raises(NoManifest):
        send(instance, code=b"another 16 bytes")
    assert look(instance, who).state is State.WAITING


def test_too_long_for_its_envelope(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit even without its content is refused as too long."""

    def too_long(*_: object) -> None:
        raise Malformed("too long")

    monkeypatch.setattr(envelope, "fold", too_long)
    with pytest.raises(TooLong):
        send(instance)


def test_recovery_reads_unless_left_out(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """The recovery identity stands last among the readers; it may be left out; alone it is nobody."""
    spare = parties.person("spare", "Spare").identities[0]
    content = dataclasses.replace(org.manifest, recovery=Recovery("Two of three", spare.recipient.text))
    assert arrival.readers_of(content, "fraud", ()) == ("counsel", "recovery")
    assert arrival.readers_of(content, "fraud", ("recovery",)) == ("counsel",)
    assert arrival.readers_of(content, "fraud", ("counsel",)) == ()
    known = org.next(recovery=content.recovery)
    instance.published.install([(known.data, known.signature)])
    who = send(instance)
    (found,) = instance.store.lookup([who.report_id], bodies=tuple(Heap))
    assert envelope.open_(found.body or b"", [spare], 8).message.readers == ("ombuds", "ethics", "recovery")


def test_a_report_under_new_words_proves_the_old(
    app: flask.Flask, instance: Instance, org: parties.Organisation
) -> None:
    """Someone whose words were seen continues under new ones, signed by the old key."""
    old = send(instance, dataclasses.replace(DRAFT, without=("ethics",)))
    slip = look(instance, old).slip
    assert slip
    moved = dataclasses.replace(DRAFT, continues=Continued(old, slip), readers=("ombuds", "ethics"))
    new = send(instance, moved, b"another 16 bytes")
    assert not opened(app, org, "ethics")  # whom the old case left out, whatever the draft asks for
    report = next(each for each in read(app, org, "ombuds") if each.case == new.case.hex())
    assert report.continues and report.without == ("ethics",)
    continuation.check(report.continues, parties.sender(old), new.case.hex())


def test_withdrawn_while_waiting(instance: Instance) -> None:
    """A report goes while nobody has collected it, and not afterwards."""
    who = send(instance)
    assert arrival.withdraw(who, instance.store) == "withdrawn"
    assert look(instance, who).state is State.REMOVED
    other = send(instance, code=b"another 16 bytes")
    instance.store.collect([other.report_id])
    assert arrival.withdraw(other, instance.store) == "collected"
    assert look(instance, other).state is State.COLLECTED
    assert arrival.withdraw(parties.reporter(), instance.store) == "unknown"


def test_nothing_under_other_words(instance: Instance) -> None:
    """Words under which nothing lies find nothing."""
    send(instance)
    assert arrival.view_case(parties.reporter(), instance.published.now(), instance.store, DAY) is None


def test_a_reply_is_shown_with_who_wrote_it(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """A reply in its place, signed by a reader of the report, is shown with the verified role."""
    who = send(instance)
    answer(app, org, who, read(app, org, "ombuds")[0], "We read it.")
    view = look(instance, who)
    (found,) = view.replies
    assert (found.reply.text, found.role, found.day, view.late) == ("We read it.", "Ombudsperson", DAY, 0)


FORGED: dict[str, dict[str, Any]] = {
    "signed_by_another": {"by": "ethics", "sender": "ombuds"},
    "in_anothers_lane": {"by": "ethics", "lane": 0},
    "in_a_lane_of_nobody": {"by": "ethics", "lane": 10},
    "by_nobody": {"sender": "stranger", "lane": 8},
    "by_somebody_left_out": {"by": "counsel", "lane": 8},
    "forgetting_who_was_left_out": {"without": ()},
    "of_another_case": {"case": "00" * 32},
    "to_another_mailbox": {"to": parties.POOL[0].text},
}


@pytest.mark.parametrize("wrong", FORGED.values(), ids=FORGED)
def test_what_is_no_reply_is_counted_and_not_shown(
    app: flask.Flask, instance: Instance, org: parties.Organisation, wrong: dict[str, Any]
) -> None:
    """Whatever lies in a reply's place without being one is never shown."""
    who = send(instance, dataclasses.replace(DRAFT, without=("counsel",)))
    report = read(app, org, "ombuds")[0]
    answer(app, org, who, report, n=1)
    answer(app, org, who, report, **wrong)
    view = look(instance, who)
    assert (len(view.replies), view.late) == (1, 1)


def test_a_reply_elsewhere_than_it_says_is_not_shown(
    app: flask.Flask, instance: Instance, org: parties.Organisation
) -> None:
    """The bytes of a good reply, copied to another place, are not shown there."""
    who = send(instance)
    answer(app, org, who, read(app, org, "ombuds")[0])
    (found,) = instance.store.lookup([place_ids(who.replies, 0)[0]])
    copy = Sealed(place_ids(who.replies, 0)[5], Heap.REPORTERS, found.body or b"")
    junk = Sealed(place_ids(who.replies, 1)[0], Heap.REPORTERS, os.urandom(envelope.size(8)))
    instance.store.commit([copy, junk], [])
    view = look(instance, who)
    assert (len(view.replies), view.late) == (1, 2)


def test_someone_let_in_later_may_answer(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """A granted reviewer answers in a lane above the slots, is shown as brought in, and reads the next follow-up."""
    who = send(instance)
    report = read(app, org, "ombuds")[0]
    answer(app, org, who, report, by="counsel", lane=8, readers=("ombuds", "ethics", "counsel"))
    view = look(instance, who)
    assert [found.role for found in view.replies] == ["Staff counsel"]
    assert [each.reviewer.id for each in view.brought_in] == ["counsel"]
    add(instance, who, dataclasses.replace(DRAFT, text="More."))
    (more,) = read(app, org, "counsel")
    assert isinstance(more, FollowUp)
    assert (more.text, more.readers) == ("More.", ("ombuds", "ethics", "counsel"))


def test_a_replaced_reply_is_shown_once(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """Of a reply that was signed afresh only the new one is shown."""
    who = send(instance)
    report = read(app, org, "ombuds")[0]
    first = answer(app, org, who, report, "First.")
    signed = message.sign(first, org.people["ombuds"].secret.signing)
    answer(app, org, who, report, "First.", n=1, seq=1, prev=signed.hash, replaces=signed.hash)
    assert [(found.reply.text, found.reply.n) for found in look(instance, who).replies] == [("First.", 1)]


def test_a_reply_by_a_key_of_a_predecessor(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """A reply that was signed before its writer left stays readable."""
    who = send(instance)
    answer(app, org, who, read(app, org, "ombuds")[0])
    left = tuple(dataclasses.replace(each, retired=each.id == "ombuds") for each in org.manifest.reviewers)
    channels = (dataclasses.replace(org.manifest.channels[0], readers=("ethics",)), org.manifest.channels[1])
    known = org.next(reviewers=left, channels=channels, begins=DAY)
    instance.published.install([(known.data, known.signature)])
    assert [found.role for found in look(instance, who).replies] == ["Ombudsperson"]


def test_a_follow_up_goes_to_who_is_still_there(
    app: flask.Flask, instance: Instance, org: parties.Organisation
) -> None:
    """A retired reader is passed over; when none is left, the reporter chooses."""
    who = send(instance, dataclasses.replace(DRAFT, channel="fraud"))
    retired = tuple(
        dataclasses.replace(each, retired=True) if each.id == "counsel" else each for each in org.manifest.reviewers
    )
    channels = (org.manifest.channels[0], dataclasses.replace(org.manifest.channels[1], readers=("ethics",)))
    known = org.next(reviewers=retired, channels=channels)
    instance.published.install([(known.data, known.signature)])
    more = dataclasses.replace(DRAFT, text="More.")
    with pytest.raises(NobodyLeft):
        add(instance, who, more)
    add(instance, who, dataclasses.replace(more, readers=("ethics",)))
    assert [each.text for each in read(app, org, "ethics")] == ["More."]


def test_the_same_follow_up_changes_nothing(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """The same form again is the same follow-up; another digest is another one."""
    who = send(instance)
    more = dataclasses.replace(DRAFT, text="More.")
    add(instance, who, more)
    add(instance, who, more)
    add(instance, who, dataclasses.replace(DRAFT, text="Yet more."), digest=b"e" * 32)
    texts = [each.text for each in read(app, org, "ombuds") if isinstance(each, FollowUp)]
    assert sorted(texts) == ["More.", "Yet more."]


def test_nobody_left_out_ever_gets_a_follow_up(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """Whom the report left out is left out of follow-ups too, even when chosen."""
    who = send(instance, dataclasses.replace(DRAFT, without=("ethics",)))
    add(instance, who, dataclasses.replace(DRAFT, text="More.", readers=("ethics", "ombuds")))
    assert read(app, org, "ethics") == []
    assert sorted(each.text for each in read(app, org, "ombuds")) == ["More.", "Something happened."]


def test_a_reply_with_a_file(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """A reply's file opens whole; altered or incomplete it gives not one byte."""
    data = os.urandom(600_000)
    record, ids = kept(instance, data, Heap.REPORTERS)
    instance.store.commit([], ids)
    assert b"".join(open_attachment(instance.store, record)) == data
    lost = dataclasses.replace(record, seed="00" * 32)
    with pytest.raises(Malformed):
        open_attachment(instance.store, lost)
    with pytest.raises(Malformed):
        open_attachment(instance.store, dataclasses.replace(record, sha256="00" * 32))


def test_a_large_file_streams_and_is_cut_off_at_a_fault(instance: Instance) -> None:
    """Above 8 MiB pieces come as they are verified, and a missing block ends them."""
    data = os.urandom(9 * 1024 * 1024)
    record, ids = kept(instance, data, Heap.REPORTERS)
    instance.store.commit([], ids[:-1])
    pieces = open_attachment(instance.store, record)
    assert data.startswith(next(pieces))
    with pytest.raises(Malformed):
        list(pieces)


def test_a_long_reply(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """A reply whose text travels in blocks is shown whole; while a block is missing it counts as late."""
    who = send(instance)
    report = read(app, org, "ombuds")[0]
    sealer = attachment.Sealer()
    blocks = sealer.update(b'{"text":"' + b"x" * 100_000 + b'"}')
    last, rest = sealer.finish("", "application/json", kind="rest")
    answer(app, org, who, report, "", rest=rest)
    assert (look(instance, who).replies, look(instance, who).late) == ((), 1)
    for id, block in blocks + last:
        instance.store.put_block(id, block, Heap.REPORTERS)
    instance.store.commit([], [id for id, _ in blocks + last])
    assert [found.reply.text for found in look(instance, who).replies] == ["x" * 100_000]
