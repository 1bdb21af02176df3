"""Coming back from one's own device: the state, replies and their files, follow-ups, withdrawal."""

import dataclasses
import datetime
import hashlib
import os
import re
from collections.abc import Callable
from typing import Any

import flask
import pytest

from tests import parties
from tests.reporter.device import TEXT, Device, attached, collect, content, photo, publish, twelve, typed
from tests.server.test_replies import long
from tests.server.visitor import Visitor, answer, opened, store_of, turn
from tests.serving import WSGI
from tests.stock.programs import attempt, run
from whistle.protocol.case import continuation
from whistle.protocol.case.envelope import REPLIES_KEPT
from whistle.protocol.case.message import Earlier, FollowUp, Report
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive, place_ids, reference
from whistle.protocol.reporter import receipts
from whistle.protocol.reporter.reply_validation import validate
from whistle.reporter.api import STATES
from whistle.server.api.reporter import ENTRY, EPOCH, HEAD
from whistle.server.instance import NAME
from whistle.store import Heap, Limits, Sealed, State


def test_the_way_there_and_back(device: Device) -> None:
    """Report, reply with a file, follow-up, another look, and a withdrawal that comes too late."""
    who = device.send()
    waiting = device.run("replies", words=typed(who)).stdout
    assert "Waiting. Nobody has picked it up yet." in waiting and "No reply yet." in waiting
    assert "You sent it on 22 November 2026." in waiting and "planned pick-up: Monday, 23 November 2026." in waiting
    assert "Can read your report: Ombudsperson and Ethics office." in waiting and "until 27 December 2027" in waiting
    collect(device)
    assert "We do not know yet whether it was read." in device.run("replies", words=typed(who)).stdout
    record = attached(device, b"Call us on Monday.", "../.. /advice\u202e.txt")
    answer(device.app, device.org, who, device.report, "Are you safe?", attachments=(record,))
    shown = device.run("replies", "--save", str(device.folder / "saved"), words=typed(who))
    assert "From Ombudsperson, 22 November 2026; signature checked:\n| Are you safe?" in shown.stdout
    assert "There is a reply." in shown.stdout and TEXT not in shown.output
    assert [path.name for path in (device.folder / "saved").iterdir()] == ["advice.txt"]
    assert (device.folder / "saved" / "advice.txt").read_bytes() == b"Call us on Monday."
    path = photo(device)
    added = device.run("follow-up", str(path), words=typed(who), text="Yes. He called again.")
    assert "Will read it: Ombudsperson and Ethics office." in added.stderr
    [follow_up] = [each.message for each in opened(device.app, device.org, "ethics") if each.message.kind != "report"]
    assert isinstance(follow_up, FollowUp) and follow_up.text == "Yes. He called again."
    assert content(device, follow_up.attachments[0]) == hashlib.sha256(path.read_bytes()).hexdigest()
    late = device.run("withdraw", "--yes", words=typed(who))
    assert late.exit_code == 1 and "it was already picked up" in late.stderr


def test_a_receipt_is_kept_and_checked_by_stock_minisign(device: Device) -> None:
    """It names the case by its reference and a day, and nothing else; a reader's key of the manifest has signed it."""
    who = device.send()
    receipt = receipts.sign(device.org.people["ombuds"].secret, who.case.hex(), parties.DAY)
    answer(device.app, device.org, who, device.report, "We have it.", mark="acknowledgement", receipt=receipt)
    saved = device.folder / "saved"
    shown = device.run("replies", "--save", str(saved), words=typed(who))
    assert "With a signed receipt" in shown.stdout and "Whoever finds it with you knows that you wrote." in shown.stdout
    assert (saved / "receipt.txt").read_text() == (
        f"Whistle receipt\nreference: {reference(who.case)}\nreceived: 2026-11-22\n"
    )
    listed = device.org.manifest.reviewer("ombuds")
    assert listed
    run("minisign", "-V", "-P", listed.signing[0].key, "-m", saved / "receipt.txt")
    (saved / "receipt.txt").write_text("Whistle receipt\nreference: 0000-0000-0000\nreceived: 2026-11-22\n")
    forged = attempt("minisign", "-V", "-P", listed.signing[0].key, "-m", saved / "receipt.txt")
    assert forged.returncode != 0


def test_what_is_kept_back_is_told(device: Device) -> None:
    """Of each author whose reply is named and not there, one line says who knows of it, and then what to do."""
    who, day, hash_ = device.send(), parties.DAY, "ab" * 32
    named = (Earlier(day, "ombuds", hash_, 1), Earlier(day, "ethics", hash_, 64), Earlier(day, "ethics", hash_, 65))
    answer(device.app, device.org, who, device.report, by="ethics", lane=1, earlier=named)
    shown = device.run("replies", words=typed(who)).stdout
    told = "\nEthics office says they have read a reply from Ombudsperson that is not here.\n"
    assert told + "An earlier reply from Ethics" in shown
    assert shown.rstrip().endswith("everybody who reads your case gets it.") and shown.count(" not here") == 2


def test_withdrawing(device: Device) -> None:
    """What waits can be withdrawn, once asked; then the words say so, and other words find nothing."""
    who = device.send()
    refused = device.run("withdraw", words=typed(who))
    assert refused.exit_code == 1 and "give --yes" in refused.stderr
    assert device.run("withdraw", "--yes", words=typed(who)).exit_code == 0
    assert opened(device.app, device.org, "ombuds") == []
    assert "Removed on 22 November 2026. Either it was withdrawn" in device.run("replies", words=typed(who)).stdout
    for name, options in (("withdraw", ["--yes"]), ("replies", []), ("follow-up", [])):
        nothing = device.run(name, *options, words=typed(parties.reporter()), text="" if name == "follow-up" else None)
        assert "nothing is stored under these words" in nothing.stderr
        assert nothing.exit_code == 1


@pytest.mark.parametrize(
    ("typed_", "said"),
    [("abandon " * 11, "these are 11"), ("abandon " * 12, "swapped"), ("xylophone " * 12, "not a word of the list")],
)
def test_wrong_words(device: Device, typed_: str, said: str) -> None:
    """What is wrong is told; no word is repeated."""
    done = device.run("replies", words=typed_)
    assert done.exit_code == 1 and said in done.stderr
    assert "abandon" not in done.output and "xylophone" not in done.output


def test_a_follow_up_that_holds_its_own_words(device: Device) -> None:
    """It is stopped, and so is an empty one."""
    who = device.send()
    held = device.run("follow-up", words=typed(who), text="my words are " + typed(who))
    empty = device.run("follow-up", words=typed(who), text="")
    assert "twelve secret words" in held.stderr and "neither text nor a file" in empty.stderr
    assert "/api/store" not in device.requests[device.requests.index("/api/store") + 1 :]


def _reply_elsewhere(device: Device, who: Reporter) -> None:
    """A reply that is good, but for another place."""
    report = device.report
    answer(device.app, device.org, who, report, "Come at night.", n=1)
    _move(device, place_ids(who.replies, 0)[1], place_ids(who.replies, 0)[2])


def _reply_of_another(device: Device, who: Reporter) -> None:
    """A reply to somebody else, in this reporter's place."""
    other = parties.reporter()
    answer(device.app, device.org, other, parties.report(other, device.org), "Come at night.")
    _move(device, place_ids(other.replies, 0)[0], place_ids(who.replies, 0)[0])


def _reply_unsigned(device: Device, who: Reporter) -> None:
    """A reply that an unknown person signed as the ombuds."""
    people = {**device.org.people, "ombuds": parties.person("ombuds", "Ombudsperson")}
    answer(device.app, dataclasses.replace(device.org, people=people), who, device.report, "Come at night.")


def _reply_in_a_foreign_lane(device: Device, who: Reporter) -> None:
    """A reply of one reader in the lane of another."""
    answer(device.app, device.org, who, device.report, "Come at night.", by="ethics", lane=0)


def _reply_to_whoever_was_left_out(device: Device, who: Reporter) -> None:
    """A reply that forgets who was left out."""
    answer(device.app, device.org, who, device.report, "Come at night.", without=())


def _reply_altered(device: Device, who: Reporter) -> None:
    """A reply with one bit turned by the server."""
    answer(device.app, device.org, who, device.report, "Come at night.")

    def altered(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] != "/api/lookup":
            return application(environ, start)
        body = bytearray(b"".join(application(environ, start)))
        place = body.index(place_ids(who.replies, 0)[0])
        body[place + 30_000] ^= 1
        return [bytes(body)]

    device.between = altered


def _move(device: Device, old: bytes, new: bytes) -> None:
    """Have the server show under one id what lies under another."""

    def moved(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] != "/api/lookup":
            return application(environ, start)
        store, asked = store_of(device.app), environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        found = store.lookup([asked[at : at + 16] for at in range(0, len(asked), 16)])
        [copy] = store.lookup([old])
        listed = sorted([*found, dataclasses.replace(copy, id=new)], key=lambda each: each.id)
        heads = [ENTRY.pack(each.id, 0, (each.day - EPOCH).days, len(each.body or b"")) for each in listed]
        bodies = [each.body or b"" for each in listed]
        answer = HEAD.pack(len(listed), False) + b"".join(map(bytes.__add__, heads, bodies))
        return flask.Response(answer.ljust(262_144, b"\0"))(environ, start)

    device.between = moved


def test_more_than_one_answer_holds(device: Device) -> None:
    """As many questions follow as it takes; all replies are shown, and junk beside them is counted."""
    who = device.send()
    junk = [Sealed(id, Heap.REPORTERS, bytes(8 * 4096)) for id in place_ids(who.replies, 1)[:9]]
    store_of(device.app).commit(junk, [])
    for n in range(8):
        answer(device.app, device.org, who, device.report, f"Answer {n}.", n=n, seq=n, prev="ab" * 32 if n else None)
    device.requests.clear()
    shown = device.run("replies", words=typed(who)).stdout
    assert [f"Answer {n}." in shown for n in range(8)] == [True] * 8
    assert "9 things stored under your words could not be checked" in shown
    assert device.requests.count("/api/lookup") == 3  # 17 in reply places, and the slip; seven in each answer


def test_long_replies_are_read_however_many_there_are(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much to be opened at once is opened one by one, and its files are saved with the others."""
    monkeypatch.setattr(validate, "__defaults__", (25_000, ()))
    who, texts = device.send(), [f"{n} " + "x" * 20_000 for n in range(3)]
    record = attached(device, b"Call us.", "advice.txt")
    for n, text in enumerate(texts):
        answer(device.app, device.org, who, device.report, "", n=n, **long(device.app, text, (record,) * (n == 2)))
    saved = device.folder / "saved"
    shown = device.run("replies", "--save", str(saved), words=typed(who))
    assert shown.exit_code == 0 and all(f"| {text}" in shown.stdout for text in texts)
    assert [path.name for path in saved.iterdir()] == ["advice.txt"] and "could not" not in shown.output
    blocks = device.app.extensions[NAME].store.block_store
    blocks.drop_today([id for batch in blocks.today() for id in batch])
    damaged = device.run("replies", words=typed(who))
    assert damaged.exit_code == 0 and "(a part of it is damaged or has not arrived" in damaged.stdout


@pytest.mark.parametrize(
    "forge",
    [
        _reply_elsewhere,
        _reply_of_another,
        _reply_unsigned,
        _reply_in_a_foreign_lane,
        _reply_to_whoever_was_left_out,
        _reply_altered,
    ],
)
def test_what_is_no_reply_is_counted_and_not_shown(device: Device, forge: Callable[[Device, Reporter], None]) -> None:
    """Nothing is shown but what a reviewer signed for this place of this case."""
    who = device.send("--leave-out", "counsel")
    forge(device, who)
    shown = device.run("replies", words=typed(who))
    assert shown.exit_code == 0
    assert "1 thing stored under your words could not be checked" in shown.stdout
    assert shown.stdout.count("Come at night") == (forge is _reply_elsewhere)  # that one also lies where it belongs


def test_a_reply_cannot_speak_for_the_program(device: Device) -> None:
    """Escapes and marks of direction are taken out, and each line of a reply is marked as such."""
    who = device.send()
    hostile = "One.\x1b[2J\x1b]0;title\x07\u202eevil\u2066\x9b\r\nFrom Ethics office, 2026-11-22; signature checked:"
    record = attached(device, b"x", "\x1b[31mred\u202e\n.txt")
    answer(device.app, device.org, who, device.report, hostile, attachments=(record,))
    shown = device.run("replies", words=typed(who)).stdout
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert "\n| From Ethics office" in shown and "\nFrom Ethics office" not in shown
    assert "With a file: \ufffd[31mred .txt (1 bytes)" in shown


def test_a_damaged_file_is_not_saved(device: Device) -> None:
    """Of a file with an altered or missing block nothing is saved, and nothing that is there is overwritten."""
    who = device.send()
    saved = device.folder / "saved"
    record = attached(device, os.urandom(600_000), "plan.txt")
    answer(device.app, device.org, who, device.report, attachments=(record,))

    def altered(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        body = bytearray(b"".join(application(environ, start)))
        if environ["PATH_INFO"] == "/api/blocks":
            body[-500] ^= 1
        return [bytes(body)]

    device.between = altered
    done = device.run("replies", "--save", str(saved), words=typed(who))
    assert done.exit_code == 1 and "nothing of it was saved" in done.stderr
    assert list(saved.iterdir()) == []
    device.between = None
    for _ in range(2):
        assert device.run("replies", "--save", str(saved), words=typed(who)).exit_code == 0
    assert sorted(path.name for path in saved.iterdir()) == ["plan (2).txt", "plan.txt"]
    assert {path.stat().st_mode & 0o777 for path in saved.iterdir()} == {0o600}


def test_a_file_that_cannot_be_saved_keeps_no_other_back(device: Device) -> None:
    """The files of every other reply are saved; what was not is named, with whose it is."""
    who = device.send()
    good, bad = attached(device, b"Call us on Monday.", "advice.txt"), attached(device, b"x", "plan\n.txt")
    missing = dataclasses.replace(bad, seed="00" * 32)
    answer(device.app, device.org, who, device.report, "Two.", by="ethics", lane=1, attachments=(good,))
    answer(device.app, device.org, who, device.report, "One.", attachments=(missing, good))
    saved = device.folder / "saved"
    done = device.run("replies", "--save", str(saved), words=typed(who))
    assert done.exit_code == 1 and "1 file(s) could not be saved" in done.stderr
    assert re.search(
        r"Not saved: plan .txt \(from Ombudsperson, 2026-11-22\): a file of a reply has not wholly", done.stderr
    )
    assert sorted(path.name for path in saved.iterdir()) == ["advice (2).txt", "advice.txt"]


def test_a_dismissed_reviewer_no_longer_answers(device: Device) -> None:
    """A reply that is dated back, and stored after its author was retired, is counted and not shown."""
    who = device.send()
    answer(device.app, device.org, who, device.report, "In time.", by="ethics", lane=1)
    end = parties.DAY + datetime.timedelta(days=3)
    people = tuple(person.listed(retired=person.id == "ethics") for person in device.org.people.values())
    channels = tuple(dataclasses.replace(each, readers=("ombuds",)) for each in device.org.manifest.channels)
    publish(device, device.org.next(reviewers=people, channels=channels, begins=end))
    turn(device.app.extensions[NAME], end + datetime.timedelta(days=1))
    answer(device.app, device.org, who, device.report, "Come at night.", by="ethics", lane=1, n=1)
    shown = device.run("replies", words=typed(who)).stdout
    assert "In time." in shown and "Come at night." not in shown
    assert "1 thing stored under your words could not be checked" in shown
    page = Visitor(device.app).come_back(typed(who)).text
    assert "In time." in page and "Come at night." not in page


def test_what_was_said_is_not_taken_back(device: Device) -> None:
    """A reply that says it replaces another hides it only if it says the same."""
    who = device.send()
    first = answer(device.app, device.org, who, device.report, "We pay you on Friday.")
    name = hashlib.sha256(first.line).hexdigest()
    chained = {"seq": 1, "prev": name, "replaces": name}
    other = answer(device.app, device.org, who, device.report, "We pay nothing.", n=1, **chained)
    shown = device.run("replies", words=typed(who)).stdout
    assert "We pay you on Friday." in shown and "We pay nothing." in shown
    name = hashlib.sha256(other.line).hexdigest()
    answer(device.app, device.org, who, device.report, "We pay nothing.", n=2, seq=2, prev=name, replaces=name)
    assert device.run("replies", words=typed(who)).stdout.count("We pay nothing.") == 1


def test_a_receipt_and_its_signature_get_the_same_number(device: Device) -> None:
    """Whatever else is in the folder, a reply's file of that name too: stock minisign finds the one by the other."""
    who = device.send()
    receipt = receipts.sign(device.org.people["ombuds"].secret, who.case.hex(), parties.DAY)
    answer(device.app, device.org, who, device.report, "We have it.", mark="acknowledgement", receipt=receipt)
    saved, listed = device.folder / "saved", device.org.manifest.reviewer("ombuds")
    saved.mkdir()
    (saved / "receipt.txt").write_text("Whistle receipt\nreference: 0000-0000-0000\nreceived: 2026-11-22\n")
    (saved / "receipt (2).txt.minisig").symlink_to(saved / "nowhere")
    assert device.run("replies", "--save", str(saved), words=typed(who)).exit_code == 0
    assert listed
    run("minisign", "-V", "-P", listed.signing[0].key, "-m", saved / "receipt (3).txt")
    assert len(list(saved.iterdir())) == 4


def test_a_receipt_is_not_taken_back(device: Device) -> None:
    """The same words without the receipt do not hide the reply that had it, in the command and on the page."""
    who = device.send()
    receipt = receipts.sign(device.org.people["ombuds"].secret, who.case.hex(), parties.DAY)
    said = {"text": "We have it.", "mark": "acknowledgement"}
    first = answer(device.app, device.org, who, device.report, **said, receipt=receipt)
    name = hashlib.sha256(first.line).hexdigest()
    answer(device.app, device.org, who, device.report, **said, n=1, seq=1, prev=name, replaces=name)
    assert "With a signed receipt" in device.run("replies", words=typed(who)).stdout
    assert "Save the receipt" in Visitor(device.app).come_back(typed(who)).text


def test_new_words_leave_out_whom_the_old_ones_did(device: Device) -> None:
    """`renew` continues the case under new words, and tells nobody of it who was left out of the old one."""
    who = device.send("--leave-out", "ethics")
    done = device.run("renew", words=typed(who), text="My brother did.")
    assert done.exit_code == 0, done.output
    assert "Will read it: Ombudsperson." in done.stderr and "Left out: Ethics office." in done.stderr
    new = derive(words.decode(twelve(done.stdout)))
    assert opened(device.app, device.org, "ethics") == []
    [report] = [
        each.message for each in opened(device.app, device.org, "ombuds") if each.message.case == new.case.hex()
    ]
    assert isinstance(report, Report) and report.continues and report.without == ("ethics",)
    assert report.text.startswith("Someone may have seen") and report.text.endswith("\n\nMy brother did.")
    continuation.check(report.continues, parties.sender(who), new.case.hex())


def test_a_follow_up_goes_where_the_servers_own_rule_sends_it(device: Device) -> None:
    """To the slip's readers and whoever a valid reply names, and never to anybody who was left out."""
    who = device.send("--leave-out", "ethics")
    report = device.report
    answer(device.app, device.org, who, report, readers=("ombuds", "counsel"))
    done = device.run("follow-up", words=typed(who), text="More.")
    assert "Will read it: Ombudsperson and Staff counsel." in done.stderr
    assert [each.message.kind for each in opened(device.app, device.org, "counsel")] == ["follow-up"]
    assert opened(device.app, device.org, "ethics") == []


def test_a_case_without_readers(device: Device) -> None:
    """When no reader is left, it says so, and goes to the channel's present readers only when told."""
    who = device.send("--leave-out", "counsel")
    new = parties.person("new", "New office")
    people = [device.org.people[id].listed(retired=id in ("ombuds", "ethics")) for id in device.org.people]
    channel = dataclasses.replace(device.org.manifest.channels[0], readers=("new", "counsel"))
    channels = (channel, *device.org.manifest.channels[1:])
    publish(device, device.org.next(reviewers=(*people, new.listed()), channels=channels))
    refused = device.run("follow-up", words=typed(who), text="More.")
    assert refused.exit_code == 1 and "with --instead it goes to the present ones" in refused.stderr
    done = device.run("follow-up", "--instead", words=typed(who), text="More.")
    assert done.exit_code == 0 and "Will read it: New office." in done.stderr


def test_the_state_is_the_servers(device: Device) -> None:
    """What the store calls the states is what the program reads, and replies stay as long as it says."""
    assert tuple(state.value for state in (State.WAITING, State.COLLECTED, State.REMOVED)) == STATES
    assert Limits().bodies(Heap.REPORTERS) == REPLIES_KEPT


SPOKEN = {
    "ar": ("سيقرؤها: Ombudsperson وEthics office.", "في الانتظار. لم يستلمه أحد بعد.", "22 نوفمبر 2026"),
    "es": ("Leerán su mensaje: Ombudsperson y Ethics office.", "En espera.", "el 22 de noviembre de 2026"),
    "fr": ("Qui lira votre message\u00a0: Ombudsperson et Ethics office.", "En attente.", "le 22 novembre 2026"),
    "ru": ("Прочтут: Ombudsperson и Ethics office.", "Ждёт. Его ещё не забрали.", "22 ноября 2026"),
    "zh": ("会读的人：Ombudsperson和Ethics office。", "等待中。还没有人取走。", "2026年11月22日"),
}


@pytest.mark.parametrize("language", SPOKEN)
def test_the_command_speaks_the_reporters_language(
    device: Device, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """By the option, or by the computer's settings; numbers stand first where there is no list of words."""
    reads, waits, day = SPOKEN[language]
    sent = device.run("send", "--channel", "harassment", "--language", language, text="…")
    assert reads in sent.stdout
    who = derive(words.decode(numbered(sent.stdout)))
    monkeypatch.setenv("LC_ALL", f"{language}_XX.UTF-8")
    shown = device.run("replies", words=typed(who)).stdout
    assert waits in shown and day in shown
    first = f"   1. {words.numbers(who.code)[0]} "
    assert (first in sent.stdout) == (language in ("ar", "ru"))


def numbered(shown: str) -> str:
    """The twelve numbers that were shown."""
    rows = [re.findall(r"[0-9]+", line)[1] for line in shown.splitlines() if re.match(r" +[0-9]+\. ", line)]
    return " ".join(rows)
