"""What a reviewer signs counts until their key ends, by their own day and by the server's (SPEC 7.5)."""

import base64
import datetime
import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.parties import DAY, ROLES, organisation, sealed
from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import HOST
from tests.workstation.test_grants import a_grant, reported
from tests.workstation.test_hostile import a_reply, by_ethics, case_of
from whistle.protocol.case import message
from whistle.protocol.case.message import Earlier, Have, Note, Reply, Signed, Status
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.trust.manifest import SignedManifest
from whistle.translations import cldr
from whistle.workstation import backup
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import case_export, compose, transcript

END = DAY + datetime.timedelta(days=3)
AFTER = END + datetime.timedelta(days=1)
TOLD = f"came on {AFTER}, after ethics's key ended on {END}"
SHOWN = TOLD.replace(str(AFTER), cldr.day("en", AFTER)).replace(str(END), cldr.day("en", END))


def dismissed(world: World, last: datetime.date | None = None, begins: datetime.date = END) -> SignedManifest:
    """The next manifest, in which ethics is retired; `last` is their key's own last day."""
    listed = tuple(
        replace(each, retired=True, signing=tuple(replace(key, last=last) for key in each.signing))
        if each.id == "ethics"
        else each
        for each in world.org.manifest.reviewers
    )
    channels = tuple(
        replace(each, readers=tuple(id for id in each.readers if id != "ethics"))
        for each in world.org.manifest.channels
    )
    return world.org.next(reviewers=listed, channels=channels, begins=begins)


def late(world: World, signed: Signed, readers: tuple[str, ...] = ("ombuds",), day: datetime.date = AFTER) -> None:
    """A message reaches the server on a day."""
    world.carrier.put(sealed(signed, world.org, readers), day)


def prepared(world: World, **changes: Any) -> Reporter:
    """A case that ombuds reads, and a manifest from END in which ethics is retired."""
    who, _ = reported(world)
    world.day = world.carrier.today = AFTER
    world.carrier.manifests = [world.org.known, dismissed(world, **changes)]
    return who


def test_what_a_dismissed_reviewer_dates_back_has_no_effect(world: World) -> None:
    """A back-dated grant, status and answer are shown as late: nobody is let in, nothing is set or answered."""
    who = prepared(world)
    late(world, a_grant(world, who), ("ombuds", "counsel"))
    state = by_ethics(world, who, Status, seq=1, prev="1" * 64, status="closed", text="")
    late(world, state)
    late(world, a_reply(world, who, seq=2, prev=state.hash, mark="feedback"))
    world.round("ombuds", "counsel")
    case = case_of(world, who)
    assert [entry.content.kind for entry in case.entries] == ["report", "grant", "status", "reply"]
    assert (case.allowed, case.status, case.answers, case.valid_grants) == (("ombuds", "ethics"), "new", [], ())
    assert not case_of(world, who, "counsel").entries
    assert any(
        fault.startswith(f"3 messages of ethics came after ethics's key ended on {END}") for fault in case.faults
    )
    told = "\n".join(transcript.lines(world.station("ombuds"), case))
    assert f"{TOLD}: it has no effect" in told
    assert f"{TOLD}: the reporter does not see it; answer yourself if needed" in told
    app = create_app(world.station("ombuds"), world.stick, saved=world.folder / "saved", token="t")
    page = app.test_client()
    [name] = re.findall(r"/t/case/([0-9a-f]{32})\"", page.get("/t/", base_url=HOST).text)
    assert html.unescape(page.get(f"/t/case/{name}", base_url=HOST).text).count(SHOWN) == 3


def test_a_late_reply_does_not_hide_that_nobody_answered(world: World) -> None:
    """The reporter does not see it, so the case stays among the unanswered, whatever the reply says it had read."""
    who = prepared(world)
    late(world, a_reply(world, who, have=Have(9, AFTER)))
    world.round("ombuds")
    assert case_of(world, who).entries[-1].ended and case_of(world, who).unanswered


@pytest.mark.parametrize(
    ("own", "server", "last", "counts"),
    [
        (DAY, END, None, True),
        (DAY, AFTER, None, False),
        (DAY, AFTER, AFTER + datetime.timedelta(days=300), False),
        (DAY, END, DAY, False),
        (DAY, DAY, DAY, True),
        (AFTER, END, None, False),
    ],
    ids=["in time", "late", "a later last day", "an earlier last day", "on it", "dated after"],
)
def test_both_days_count(
    world: World, own: datetime.date, server: datetime.date, last: datetime.date | None, counts: bool
) -> None:
    """The own day and the earliest at the server are both not after the key's end; a later `last` extends nothing."""
    who = prepared(world, last=last)
    late(world, by_ethics(world, who, Status, day=own, status="open", text=""), day=server)
    world.round("ombuds")
    case = case_of(world, who)
    assert (case.status == "open", len(case.entries), case.entries[-1].ended is None) == (counts, 2, counts)


def test_the_earliest_day_at_the_server_decides(world: World) -> None:
    """A courier that names a later day, first or afterwards, takes nothing away, not even what a grant hands over."""
    who = prepared(world)
    first = case_of(world, who).messages[0]
    signed = by_ethics(world, who, Status, status="open", text="")
    granted = a_grant(world, who, message.original(first), seq=1, prev=signed.hash)
    found = []
    for day in (AFTER, END, AFTER):
        late(world, signed, day=day)
        late(world, granted, ("ombuds", "counsel"), day)
        world.round("ombuds", "counsel")
        kinds = [entry.content.kind for entry in case_of(world, who, "counsel").entries]
        found.append((case_of(world, who).status, "counsel" in case_of(world, who).allowed, kinds))
    assert found == [("new", False, []), *[("open", True, ["report", "grant"])] * 2]


def test_the_manifest_may_come_after_the_message(world: World) -> None:
    """What was taken before the manifest that ends its key came loses its effect with it, as at everybody else's."""
    who = prepared(world)
    manifests, world.carrier.manifests = world.carrier.manifests, [world.org.known]
    late(world, by_ethics(world, who, Status, status="open", text=""))
    world.round("ombuds")
    assert case_of(world, who).status == "open"
    world.carrier.manifests = manifests
    world.round("ombuds")
    assert case_of(world, who).status == "new" and case_of(world, who).entries[-1].ended == END


def test_an_original_counts_by_its_own_day(world: World) -> None:
    """What a dismissed reviewer wrote in time comes with a grant, the grantor vouching; what came late does not."""
    who = prepared(world)
    note, dated_back = by_ethics(world, who, Note), by_ethics(world, who, Note, seq=1, prev="1" * 64)
    late(world, note, day=END)
    late(world, dated_back)
    world.round("ombuds")
    compose.note(world.station("ombuds"), case_of(world, who), "Ours.")
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    world.round("ombuds", "counsel")
    case = case_of(world, who, "counsel")
    assert [entry.signed.hash for entry in case.entries if entry.by == "ethics"] == [note.hash] and not case.faults
    told = "\n".join(transcript.lines(world.station("counsel"), case))
    assert "handed over with the case by ombuds: for its day, ombuds vouches" in told


def test_a_late_grant_hands_nothing_over(world: World) -> None:
    """A dismissed reviewer cannot launder what they date back through a grant to somebody who reads the case."""
    who, _ = reported(world)
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    world.round("ombuds", "counsel")
    world.day = world.carrier.today = AFTER
    world.carrier.manifests = [world.org.known, dismissed(world)]
    status = by_ethics(world, who, Status, status="closed", text="")
    late(world, a_grant(world, who, message.original(status), seq=1, prev=status.hash), ("ombuds", "counsel"))
    world.round("counsel")
    case = case_of(world, who, "counsel")
    assert case.status == "new" and [entry.content.kind for entry in case.entries].count("status") == 0
    assert case.entries[-1].content.kind == "grant" and case.entries[-1].ended == END


def test_a_backup_and_an_export_keep_what_is_late(world: World) -> None:
    """The restored workstation judges as before; the export and the page say what came late."""
    who = prepared(world)
    late(world, by_ethics(world, who, Status, status="open", text=""))
    world.round("ombuds")
    station = world.station("ombuds")
    folder, _ = case_export.export(station, case_of(world, who), world.folder / "out")
    assert TOLD in (folder / case_export.NAME).read_text()
    made = backup.save(station, world.folder / "backups", PASSPHRASE, log_n=8).folder
    again = backup.restore(made, world.folder / "again", PASSPHRASE, PASSPHRASE, "test", lambda: AFTER)
    world.stations["restored"] = again
    assert case_of(world, who, "restored").entries[-1].ended == END


def test_somebody_who_came_back_counts_again(world: World) -> None:
    """Who is listed as active again, with the same key, has no end."""
    who = prepared(world)
    gone = world.carrier.manifests[-1]
    world.carrier.manifests.append(world.org.sign(serial=3, previous=gone.hash, begins=AFTER))
    late(world, by_ethics(world, who, Status, status="open", text=""))
    world.round("ombuds")
    assert case_of(world, who).status == "open"


def test_nobody_takes_the_effect_from_what_was_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody wrote before they left stays in effect, even if a reader sends it once more after that day."""
    monkeypatch.setitem(ROLES, "chief", "Chief")
    world = World(tmp_path, organisation())
    who, _ = reported(world)
    world.round("ethics")
    compose.grant(world.station("ethics"), case_of(world, who, "ethics"), "chief")
    compose.status(world.station("ethics"), case_of(world, who, "ethics"), "open", text="Begun.")
    world.round("ethics", "ombuds")
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    written = [entry.signed for entry in case_of(world, who).entries if entry.by == "ethics"]
    world.day = world.carrier.today = AFTER
    world.carrier.manifests = [world.org.known, dismissed(world)]
    world.round("ombuds", "counsel")
    for signed in written:
        late(world, signed, ("counsel",))
    world.round("counsel")
    case = case_of(world, who, "counsel")
    assert (case.status, case.faults) == ("open", []) and "chief" in case.allowed
    compose.note(world.station("ombuds"), case_of(world, who), "To all three.")
    world.round("ombuds", "counsel")
    assert case_of(world, who, "counsel").entries[-1].content.kind == "note"
    world.close()


def test_what_came_late_alarms_nobody_about_others(world: World) -> None:
    """What a dismissed reviewer's late messages name is not missed, and contradicts nothing of a colleague's."""
    who, _ = reported(world)
    reply = compose.reply(world.station("ombuds"), case_of(world, who), "We look into it.")
    first = by_ethics(world, who, Note)
    late(world, first, day=DAY)
    world.round("ombuds")
    world.day = world.carrier.today = AFTER
    world.carrier.manifests = [world.org.known, dismissed(world)]
    named = (Earlier(DAY, "ombuds", "ab" * 32, 0),)
    late(world, a_reply(world, who, seq=7, prev="1" * 64, seen=("cd" * 32,), have=Have(9, DAY), earlier=named))
    late(world, by_ethics(world, who, Note, text="Another first one."))
    late(world, by_ethics(world, who, Note, seq=1, prev="1" * 64))
    world.round("ombuds")
    assert [line[:32] for line in case_of(world, who).faults] == ["3 messages of ethics came after "]
    assert isinstance(reply.message, Reply)


def test_a_late_or_bad_grant_passes_nothing_on(world: World) -> None:
    """What only such a grant hands to a reader is granted to them by whoever writes next."""
    who = world.report(readers=("ombuds", "ethics", "counsel"))
    signed = world.follow_up(who)
    world.round("ombuds", "counsel")
    inside = message.original(signed)
    bad = replace(inside, signature=base64.b64encode(bytes(64)).decode())
    late(world, a_grant(world, who, bad, lane=2), ("ombuds", "counsel"), DAY)
    world.day = world.carrier.today = AFTER
    world.carrier.manifests = [world.org.known, dismissed(world)]
    late(world, a_grant(world, who, inside, lane=2, seq=1, prev="1" * 64), ("ombuds", "counsel"))
    world.round("ombuds", "counsel")
    assert "follow-up" not in [entry.content.kind for entry in case_of(world, who, "counsel").entries]
    compose.note(world.station("ombuds"), case_of(world, who), "Have you seen this?")
    world.round("ombuds", "counsel")
    case = case_of(world, who, "counsel")
    assert "follow-up" in [entry.content.kind for entry in case.entries]
    assert not any("has not come" in line for line in case.faults)
