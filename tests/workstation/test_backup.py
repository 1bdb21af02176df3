"""Backups that are made bit by bit: what is written, what is left of what was deleted, and what a fault costs."""

import base64
import datetime
import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from tests.parties import DAY
from tests.workstation.backups import saved, spoil, texts
from tests.workstation.carrying import PASSPHRASE, World, attach
from tests.workstation.test_faults import failing
from tests.workstation.test_folder import everything
from whistle.protocol import age
from whistle.protocol.case import envelope
from whistle.workstation import backup
from whistle.workstation.backup import contents, folder, parts, saving, trial
from whistle.workstation.backup.restoring import Opened
from whistle.workstation.cases import compose, overview
from whistle.workstation.errors import Refused, VaultReadOnly, WorkstationError, WrongPassphrase
from whistle.workstation.tray import drafts
from whistle.workstation.vault import backups, check, removal
from whistle.workstation.vault.models import Came, OutgoingEnvelope
from whistle.workstation.vault.storage import Vault
from whistle.workstation.workstation import Workstation


@pytest.fixture
def desk(world: World) -> Workstation:
    """A workstation with a case that has a file, and another case."""
    blocks, attached = attach(b"plaintext-in-a-file" * 99)
    world.carrier.put_blocks(blocks)
    world.report(text="plaintext-of-the-first", attachments=(attached,))
    world.report(text="plaintext-of-the-second")
    world.round("ombuds")
    return world.station("ombuds")


def note(desk: Workstation, text: str, case: int = 0) -> None:
    """Something new."""
    compose.note(desk, overview.load(desk, desk.case_ids()[case]), text)


def opened(place: Path) -> Opened:
    """The backup in a place."""
    return backup.open_backup(place, PASSPHRASE)


def hashes(place: Path) -> dict[str, str]:
    """The parts, by name, with a hash of each."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (place / "whistle-backup/parts").iterdir()
    }


def is_whole(place: Path) -> bool:
    """Whether all that the index names is there, under each name what it names."""
    found, index = texts(opened(place)), opened(place).index
    named = {*index.messages, *(name for names in index.tables.values() for name in names)}
    rows = {name: data for name, data in found.items() if name.startswith("rows/")}
    return named <= set(found) and all(hashlib.sha256(data).hexdigest() == name[5:] for name, data in rows.items())


def restored(world: World, place: Path, lacking: list[str] | None = None) -> Workstation:
    """What a backup gives back; with a list, of a damaged one too, whose faults it then holds."""
    partly = None if lacking is None else lambda found: lacking.append(found.words())
    return backup.restore(place, world.folder / "new", PASSPHRASE, PASSPHRASE, "test", lambda: DAY, partly=partly)


def all_plain(place: Path, desk: Workstation) -> bytes:
    """What everything in a backup's parts says, whether it counts or not, to whoever has the keys."""
    keys = [period.identity for period in desk.periods()]
    return b"".join(
        [age.decrypt(keys, path.read_bytes()) for path in sorted((place / "whistle-backup/parts").iterdir())]
    )


def test_a_second_backup_writes_what_is_new(world: World, desk: Workstation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of before stay as they are, and of hundreds of messages and of all blocks only the new ones are read."""
    monkeypatch.setattr(contents, "MOST_LINES", 3)
    for number in range(14):
        note(desk, f"Note {number}", number % 2)
    first = saved(desk, world.folder)
    before, read = hashes(world.folder), list[str]()
    note(desk, "Note of today")
    monkeypatch.setattr(contents.Contents, "read", lambda self, name: read.append(name) or _read(self, name))
    second = saved(desk, world.folder)
    assert before.items() < hashes(world.folder).items() and second.parts == 1
    assert first.counts | {"messages": 17} == second.counts == {"cases": 2, "messages": 17, "blocks": 1}
    assert len([name for name in read if name.startswith("messages/")]) == 1  # of at least five
    assert len([name for name in read if name.startswith("rows/")]) < len(opened(world.folder).index.tables) * 2
    assert not any(name.startswith("blocks/") for name in read)
    read.clear()
    third = saved(desk, world.folder)
    assert read == [] and third.parts == third.written == 0
    again = restored(world, world.folder)
    assert all(again.hashes(case) == desk.hashes(case) for case in desk.case_ids()) and check.faults(again) == []
    again.close()


_read = contents.Contents.read


def test_nothing_in_a_backup_is_in_clear_and_its_sizes_are_round(world: World, desk: Workstation) -> None:
    """No text, key or block's id; of sizes, only how many quarters of a megabyte there are."""
    place = world.folder / "usb"
    saved(desk, place)
    note(desk, "plaintext-of-a-note")
    saved(desk, place)
    found, ids = everything(place), [id.hex() for id in desk.blocks.ids()]
    for hidden in ["plaintext", "AGE-SECRET", PASSPHRASE, *desk.case_ids(), *ids]:
        assert hidden.encode() not in found
    sizes = [path.stat().st_size for path in (place / "whistle-backup/parts").iterdir()]
    quarter = parts.STEP + parts.STEP // age.CHUNK * 16
    rest = envelope.header_size(1) + age.NONCE  # beside quarters of a megabyte
    assert len(sizes) > 1 and {size % quarter for size in sizes} == {rest}
    assert {path.stat().st_mode & 0o077 for path in place.rglob("*")} == {0}


def test_some_of_what_was_written_before_is_read_again(
    world: World, desk: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is damaged, though its size is right, is found and written again; what is read is bounded."""
    saved(desk, world.folder)
    [first, _] = sorted((world.folder / "whistle-backup/parts").iterdir())
    spoil(first)
    again = saved(desk, world.folder)
    assert (again.earlier, again.read, again.damaged, again.parts) == (1, 2, 1, 1) and not first.exists()
    assert "1 earlier part had been damaged" in again.lines()[2] and is_whole(world.folder)
    assert backup.try_backup(desk, world.folder, PASSPHRASE).works
    monkeypatch.setattr(saving, "READ_AGAIN", 1)
    third = saved(desk, world.folder)
    assert (third.earlier, third.read, third.damaged, third.parts) == (2, 1, 0, 0)
    assert "1 of them, chosen at random" in third.lines()[-1]


def test_what_was_deleted_is_gone_with_the_next_backup(world: World, desk: Workstation) -> None:
    """A deleted case and its title are in no part any more, and a restore does not bring them back; blocks stay put."""
    case = next(each for each in overview.queue(desk) if "second" in each.entries[0].content.text)  # type: ignore
    saved(desk, world.folder)
    compose.status(desk, case, "closed")
    world.round("ombuds", "ethics")
    world.round("ombuds")
    saved(desk, world.folder)
    assert b"plaintext-of-the-second" in all_plain(world.folder, desk)
    with_blocks = {
        part.name for part in opened(world.folder).index.parts if any("blocks/" in name for name in part.holds)
    }
    removal.remove(desk, overview.load(desk, case.id))
    saved(desk, world.folder)
    left = all_plain(world.folder, desk)
    assert b"plaintext-of-the-second" not in left
    assert b"plaintext-of-the-first" in left and with_blocks <= {part.name for part in opened(world.folder).index.parts}
    again = restored(world, world.folder)
    assert again.case_ids() == desk.case_ids()
    again.close()


def test_what_changed_is_counted_and_starting_anew_removes_it(world: World, desk: Workstation) -> None:
    """An earlier draft stays in an older part until then, which is said."""
    drafts.keep(desk, desk.case_ids()[0], "note", {"text": "plaintext-of-a-draft"})
    saved(desk, world.folder)
    drafts.discard(desk, desk.case_ids()[0], "note")
    done = saved(desk, world.folder)
    assert b"plaintext-of-a-draft" in all_plain(world.folder, desk)
    assert done.stale and "drafts and titles that changed since. Starting anew removes them." in done.lines()[-1]
    done = saved(desk, world.folder, fresh=True)
    assert b"plaintext-of-a-draft" not in all_plain(world.folder, desk) and not done.stale and len(done.lines()) == 2


def test_parts_stay_few(world: World, desk: Workstation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once there are many small ones, they become one."""
    monkeypatch.setattr(saving, "MOST_SMALL", 3)
    counts = []
    for number in range(9):
        note(desk, f"Note {number}")
        saved(desk, world.folder)
        counts.append(len(hashes(world.folder)))
    assert max(counts) <= 6 and is_whole(world.folder)


def test_two_sticks_know_nothing_of_each_other(world: World, desk: Workstation) -> None:
    """Each gives back what was there at its own last backup."""
    one, two = world.folder / "one", world.folder / "two"
    saved(desk, one)
    note(desk, "First")
    saved(desk, two)
    note(desk, "Second")
    saved(desk, one)
    assert [opened(place).index.counts["messages"] for place in (one, two)] == [4, 3]
    assert is_whole(one) and is_whole(two) and len(backups.remembered(desk.vault)) == 2
    assert opened(one).index.id != opened(two).index.id


def test_anothers_backup_is_not_touched(world: World, desk: Workstation) -> None:
    """A workstation of another reviewer is refused there, even if it starts anew."""
    saved(desk, world.folder)
    before = everything(world.folder / "whistle-backup")
    world.round("ethics")
    for fresh in (False, True):
        with pytest.raises(Refused, match="backup of another workstation") as caught:
            saved(world.station("ethics"), world.folder, fresh)
        assert caught.value.hint == "choose another stick or folder"
    assert everything(world.folder / "whistle-backup") == before


def test_what_is_newer_is_not_replaced_by_what_is_older(world: World, desk: Workstation) -> None:
    """A restored workstation goes on with its backup; the one of before then does not, unless it starts anew."""
    saved(desk, world.folder)
    again = restored(world, world.folder)
    before = hashes(world.folder)
    with pytest.raises(backup.PassphraseNeeded):  # its passphrase may be another
        backup.save(again, world.folder)
    done = saved(again, world.folder)
    assert before.items() <= hashes(world.folder).items() and done.written < 600_000
    with pytest.raises(Refused, match="wrote last"):
        saved(desk, world.folder)
    assert saved(desk, world.folder, fresh=True).counts["messages"] == 2
    with pytest.raises(Refused, match="wrote last"):
        saved(again, world.folder)
    again.close()


def test_a_stick_that_is_pulled_or_full_leaves_the_backup_before(world: World, desk: Workstation) -> None:
    """At every step that writes; room is given back, and afterwards it goes as if nothing was."""
    saved(desk, world.folder / "usb")
    before = opened(world.folder / "usb").index
    note(desk, "On its way.")
    for step in range(60):
        with failing(step, errno.ENOSPC):
            try:
                saved(desk, world.folder / "usb")
                break
            except VaultReadOnly as exc:
                assert exc.message and exc.hint
        index = opened(world.folder / "usb").index
        assert is_whole(world.folder / "usb") and (index == before or index.counts["messages"] == 3)
    assert 4 < step < 59 and is_whole(world.folder / "usb")
    assert {part.name + ".age" for part in opened(world.folder / "usb").index.parts} == set(
        hashes(world.folder / "usb")
    )


def test_a_full_stick_is_said(world: World, desk: Workstation, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence, with what to do; nothing of the attempt takes up room."""
    saved(desk, world.folder)
    before = everything(world.folder / "whistle-backup")
    note(desk, "Too much.")

    def full(self: contents.Contents, name: str) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(contents.Contents, "read", full)
    with pytest.raises(VaultReadOnly, match="not enough room for this backup") as caught:
        saved(desk, world.folder)
    assert "what was there is still whole" in caught.value.hint
    assert everything(world.folder / "whistle-backup") == before


def test_the_index_of_a_backup_has_a_copy(world: World, desk: Workstation) -> None:
    """A damaged index costs nothing."""
    saved(desk, world.folder)
    spoil(world.folder / "whistle-backup/index.age")
    assert is_whole(world.folder)
    spoil(world.folder / "whistle-backup/index-copy.age")
    with pytest.raises(WorkstationError, match=r"index-copy\.age of this backup is damaged"):
        opened(world.folder)


@pytest.mark.parametrize("name", ["index.age", "keys.age", "README.txt", "parts"])
def test_what_whoever_had_the_stick_put_there_stops_nothing(world: World, desk: Workstation, name: str) -> None:
    """A pipe blocks nothing, and no link leads what is written to another folder."""
    saved(desk, world.folder)
    kept, other = world.folder / "whistle-backup" / name, world.folder / "other"
    other.mkdir()
    (other / "0123456789abcdef.age").write_bytes(b"somebody's")
    kept.rename(world.folder / "away")
    if name == "parts":
        kept.symlink_to(other)
        with pytest.raises(Refused, match="link to another"):
            saved(desk, world.folder)
    else:
        os.mkfifo(kept)
        saved(desk, world.folder)
        assert is_whole(world.folder) and kept.is_file()
    assert [path.name for path in other.iterdir()] == ["0123456789abcdef.age"]


def test_a_damaged_part_is_named_and_the_rest_comes_back(world: World, desk: Workstation) -> None:
    """Trying it and restoring say which; the rest is restored if asked to; without it, the next backup is whole."""
    saved(desk, world.folder)
    note(desk, "After the first")
    saved(desk, world.folder)
    index = opened(world.folder).index
    [lost] = [part for part in index.parts if index.messages[-1] in part.holds]
    path = folder.path(world.folder / "whistle-backup", lost)
    whole = path.read_bytes()
    path.write_bytes(whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:])
    [said, todo] = backup.try_backup(desk, world.folder, PASSPHRASE).lines()
    assert path.name in said and "lost: 3 messages" in said and todo.startswith("Start anew")
    with pytest.raises(WorkstationError, match=path.name) as caught:
        restored(world, world.folder)
    assert "--partly" in caught.value.hint
    again = restored(world, world.folder, lacking := [])
    assert path.name in lacking[0] and "lost: 3 messages" in lacking[0]
    assert list(again.blocks.ids()) == list(desk.blocks.ids()) and not any(map(again.hashes, again.case_ids()))
    again.vault.destroy()
    path.unlink()
    saved(desk, world.folder)
    assert is_whole(world.folder)


def test_what_waits_or_is_on_its_way_is_not_half_restored(world: World, desk: Workstation) -> None:
    """If an envelope is lost with its part, its message does not count as on its way with the others."""
    note(desk, "On its way.")
    saved(desk, world.folder)
    there = opened(world.folder)
    found = texts(there)
    [body] = [name for name in found if name.startswith("bodies/")]
    less = [replace(part, holds={k: v for k, v in part.holds.items() if k != body}) for part in there.index.parts]
    folder.write_index(there.folder, replace(there.index, parts=less), there.identities[0].recipient, desk.signing)
    with pytest.raises(WorkstationError, match="what else was noted"):
        restored(world, world.folder)
    again = restored(world, world.folder, [])
    assert not again.notices()[1:] and len(again.hashes(again.case_ids()[0])) == 2
    again.close()


def forged_part(there: Opened, name: str, content: dict[str, bytes]) -> None:
    """Put a part that anybody can seal in the place of the one that holds a file, with other content."""
    [real] = [part for part in there.index.parts if name in part.holds]
    to = there.identities[0].recipient
    [forged] = parts.write(there.folder / "parts", to, real.period, real.holds, content.__getitem__)
    folder.path(there.folder, forged).rename(folder.path(there.folder, real))


def test_what_a_forged_part_holds_is_not_sent(world: World, desk: Workstation) -> None:
    """Anybody can seal a part, and a courier knows the hashes of envelopes: one with another content counts as lost."""
    note(desk, "On its way.")
    saved(desk, world.folder)
    there = opened(world.folder)
    found = texts(there)
    [body] = [name for name in found if name.startswith("bodies/")]
    [real] = [part for part in there.index.parts if body in part.holds]
    content = {**found, body: bytes(len(found[body]))}
    forged_part(there, body, content)
    again = restored(world, world.folder, lacking := [])
    assert real.name in lacking[0] and "what else was noted" in lacking[0]
    sent = again.vault.session.scalars(select(OutgoingEnvelope.body)).all()
    assert content[body] not in sent
    again.close()


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "opened"])
def test_a_forged_piece_counts_as_lost_and_its_file_is_named(world: World, desk: Workstation, noted: bool) -> None:
    """One of the right name and size is held against the hash that was noted when it came, or opened if none was."""
    if not noted:
        with desk.change():
            desk.vault.session.execute(delete(Came))
    saved(desk, world.folder)
    there = opened(world.folder)
    [block], held = texts(there, "blocks/"), list[backup.Lacking]()
    forged_part(there, block, {block: bytes(there.index.parts[-1].held)})
    new = world.folder / "new"
    again = backup.restore(world.folder, new, PASSPHRASE, PASSPHRASE, "test", lambda: DAY, partly=held.append)
    [case] = [each for each in overview.queue(again) if overview.files(each)]
    [said, named] = held[0].lines()
    assert ("lost: 1 piece of a file" in said) == noted == (not list(again.blocks.ids()))
    assert named == f"Not whole: case {case.reference}, the file photo.jpg in a message of {DAY}."
    again.close()


def test_a_forged_message_counts_as_lost(world: World, desk: Workstation) -> None:
    """What has the right words and no right signature would look like a forgery to every colleague it is granted to."""
    note(desk, "Said by me.")
    saved(desk, world.folder)
    there = opened(world.folder)
    found = texts(there)
    for name in there.index.messages:
        lines = found[name].split(b"\n")
        lines[1::2] = [base64.b64encode(bytes(64)) for _ in lines[1::2]]
        found[name] = b"\n".join([*lines[:-1], b""])
    forged_part(there, there.index.messages[0], found)
    again = restored(world, world.folder, lacking := [])
    assert "lost: 3 messages" in lacking[0] and not any(map(again.hashes, again.case_ids()))
    again.close()


def test_trying_a_backup(world: World, desk: Workstation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It works, and says what came since; nothing stays, and nothing in clear was there meanwhile."""
    saved(desk, world.folder)
    note(desk, "plaintext-of-today")
    scratch, meanwhile = tmp_path / "scratch", list[bytes]()
    scratch.mkdir()
    close = Vault.destroy
    monkeypatch.setattr(Vault, "destroy", lambda self: meanwhile.append(everything(scratch)) or close(self))
    tried = trial.try_backup(desk, world.folder, PASSPHRASE, scratch=scratch)
    assert tried.works and tried.lines() == [
        f"It works: the backup of {DAY} gave back its 2 cases, 2 messages and 1 piece of a file, all as they are here.",
        "What came after it is not in it: 1 message.",
    ]
    assert not list(scratch.iterdir()) and len(meanwhile) == 1 and len(meanwhile[0]) > 50_000
    assert b"plaintext" not in meanwhile[0] and desk.case_ids()[0].encode() not in meanwhile[0]
    with pytest.raises(WrongPassphrase):
        backup.try_backup(desk, world.folder, "another passphrase")
    with pytest.raises(Refused, match="another workstation"):
        backup.try_backup(world.station("ethics"), world.folder, PASSPHRASE)
    with pytest.raises(WorkstationError, match="no backup in this folder"):
        backup.try_backup(desk, world.folder / "elsewhere", PASSPHRASE)


def test_a_block_that_is_not_what_is_here_is_said(world: World, desk: Workstation) -> None:
    """Trying a backup compares every piece of a file."""
    saved(desk, world.folder)
    [id] = desk.blocks.ids()
    spoil(desk.blocks.path(id))
    tried = backup.try_backup(desk, world.folder, PASSPHRASE)
    assert not tried.works and "other than here: 1 piece of a file" in tried.lines()[0]


def test_one_is_reminded_of_a_backup(world: World, desk: Workstation) -> None:
    """After a week without one, if there is anything to lose."""
    later = DAY + backups.OFTEN
    assert backups.reminder(desk.vault, DAY) == ""
    assert "There is no backup of this workstation" in backups.reminder(desk.vault, later)
    saved(desk, world.folder)
    assert backups.reminder(desk.vault, later - datetime.timedelta(days=1)) == ""
    assert f"The newest backup is of {DAY}" in backups.reminder(desk.vault, later)
    assert [backups.ago(DAY, DAY + datetime.timedelta(days=n)) for n in (0, 1, 7)] == [
        "today",
        "yesterday",
        "7 days ago",
    ]
