"""Reporting from one's own device: what reaches the readers, what is refused, and when words are shown."""

import datetime
import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.parties import DAY
from tests.reporter.device import NAME as PHOTO
from tests.reporter.device import (
    TEXT,
    Device,
    connected,
    content,
    instead,
    large,
    photo,
    publish,
    readable,
    twelve,
    typed,
)
from tests.server.visitor import Visitor, opened, reported, store_of
from tests.serving import WSGI
from whistle.cli import prompts
from whistle.protocol.case import attachment, message
from whistle.protocol.case.message import FollowUp, Report
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive, reference
from whistle.protocol.reporter import answers
from whistle.protocol.reporter.submission import MAX_PASTED
from whistle.server.config import usual_questions
from whistle.store import Heap
from whistle.translations import catalogues

MEASURED = """
import resource, sys
from whistle.cli.main import main
try:
    main()
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
ROOM = 24 * 1024  # KiB that a large file may take more than a small one


def test_a_report_is_sealed_on_the_device(device: Device) -> None:
    """The channel's readers read it, with its file; it says where it was sealed, whom it left out, and for what."""
    path = photo(device)
    who = device.send("--leave-out", "counsel", "--leave-out", "ethics", "--advice", "--language", "de", str(path))
    report = device.report
    assert (report.text, report.sealed, report.language, report.answers) == (TEXT, "device", "de", {"way": "advice"})
    assert (report.readers, report.without, report.day) == (("ombuds",), ("counsel", "ethics"), DAY)
    assert report.case == who.case.hex() and report.keys == device.org.known.keys
    [record] = report.attachments
    assert (record.name, record.type) == (PHOTO, "application/pdf")
    assert content(device, record) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert opened(device.app, device.org, "ethics") == []


def test_words_are_shown_only_when_all_is_stored(device: Device) -> None:
    """Words, numbers and the reference are the last thing that is said, and the slip is stored with the report."""
    done = device.run("send", "--channel", "fraud", "--language", "es", text=TEXT)
    who = derive(words.decode(twelve(done.stdout)))
    assert twelve(done.stdout) == " ".join(words.encode(who.code, "es"))
    assert f"Referencia del caso: {reference(who.case)}" in done.stdout
    assert device.requests[-1] == "/api/store"
    found = store_of(device.app).lookup([who.report_id, who.slip_id])
    assert {each.heap for each in found} == set(Heap)
    device.between = instead({"/api/store": b""}, 507)
    done = device.run("send", "--channel", "fraud", text=TEXT)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the server is full; it kept nothing of this" in done.stderr


def test_nothing_is_sealed_to_who_has_gone_meanwhile(device: Device) -> None:
    """A list of readers that changes while somebody writes is told, and nothing of the message is kept."""
    after = device.org.next()

    def meanwhile(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] == "/api/ready":
            publish(device, after)
        return application(environ, start)

    device.between = meanwhile
    done = device.run("send", "--channel", "harassment", str(photo(device, 1000)), text=TEXT)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the list of readers has changed since you began; nothing of this was stored" in done.stderr
    assert device.requests[-2:] == ["/api/store", "/api/drop"]
    device.between = None
    device.send()
    assert device.report.keys == after.keys


@pytest.mark.parametrize(
    ("options", "text", "said"),
    [
        (["--channel", "harassment"], " \n", "there is neither text nor a file"),
        (["--channel", "harassment"], "\u200b\u3164", "there is neither text nor a file"),
        (["--channel", "harassment"], "> -----BEGIN WHISTLE SEALED REPORT-----", "a sealed report, or a part of one"),
        (["--channel", "harassment", "--advice"], "", "there is neither text nor a file"),
        (["--channel", "harassment"], "see: " + " ".join(words.encode(b"sixteen bytes ok")), "twelve secret words"),
        (["--channel", "fraud", "--leave-out", "counsel"], TEXT, "nobody is left who could read it"),
        (["--channel", "no-such"], TEXT, "there is no such channel"),
        ([], TEXT, "choose a channel"),
        (["--channel", "fraud", "--leave-out", "stranger"], TEXT, "somebody was named whom the list does not have"),
    ],
    ids=["empty", "unseen", "sealed", "empty advice", "words", "nobody", "no channel", "which channel", "stranger"],
)
def test_what_is_refused_before_anything_is_sent(device: Device, options: Sequence[str], text: str, said: str) -> None:
    """It is told in one line with a hint, which hold nothing of the text, and nothing of it reaches the server."""
    done = device.run("send", *options, text=text)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr and "hint: " in done.stderr
    assert not text.strip() or text not in done.output
    assert not [path for path in device.requests if path.startswith("/api/")]


def test_questions_of_the_channel(device: Device) -> None:
    """Answers are sealed under the questions' ids, from descriptors; one that the channel does not ask is refused."""
    device.send("--answer-fd", f"when={readable('In May, after lunch.')}", "--advice")
    assert device.report.answers == {"when": "In May, after lunch.", "way": "advice", "asked": "when When was it?"}
    for wrong, said in {
        f"where={readable('Here.')}": "has no question 'where'",
        "when": "a question and a file descriptor",
        "when=x": "the number of a file descriptor",
    }.items():
        refused = device.run("send", "--channel", "harassment", "--answer-fd", wrong, text=TEXT)
        assert refused.exit_code != 0 and said in refused.output
    assert device.report


def test_answers_of_each_type(device: Device) -> None:
    """They travel as those of the pages; what nobody can choose, and what no other answer asks for, is refused."""
    given = {"q-loss": "bribes", "q-when": "2026-10, ongoing", "q-proof": "yes", "q-proof-where": " In a\ndrawer. "}
    done = device.run("send", "--channel", "fraud", *answering(given), text=TEXT)
    assert done.exit_code == 0, done.output
    made = {"q-loss": "bribes", "q-when": "2026-10 ongoing", "q-proof": "yes", "q-proof-where": "In a drawer."}
    assert reported(device.app, device.org, "counsel").answers == made
    for wrong, said in [
        ({"q-loss": "gold"}, "it takes: money, bribes, contracts"),
        ({"q-loss": "money bribes"}, "'q-loss' has no such answer"),
        ({"q-when": "soon"}, "write it as 2026-10 or 2026"),
        ({"q-proof": "no", "q-proof-where": "Here."}, "answer 'q-proof' with one of: yes"),
        ({"q-about": "money"}, "has no question 'q-about'"),
    ]:
        refused = device.run("send", "--channel", "fraud", *answering(wrong), text=TEXT)
        assert refused.exit_code == 1 and said in refused.output, said


def test_questions_are_asked_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal, with what can be chosen; again until it can be; those that an answer shows, and no others."""
    monkeypatch.setattr(prompts, "at_a_terminal", lambda: True)
    asked = answers.for_way(usual_questions("fraud", ("en", "fr")), "report")
    with CliRunner().isolation(input="gold\nbribes\n\n\n\nno\nyes\nAnna.\n\n") as (_, _, screen):
        given = prompts.answers(asked, (), catalogues.load("fr"), "fr")
        shown = screen.getvalue().decode()
    assert given == {"q-loss": "bribes", "q-proof": "no", "q-told": "yes", "q-told-whom": "Anna."}
    assert "  bribes: Des pots-de-vin ou des cadeaux" in shown and shown.count("De quoi s’agit-il ?") == 2
    assert "Où sont-ils" not in shown and "À qui en avez-vous parlé" in shown


def test_advice_becomes_a_report(device: Device) -> None:
    """By its reporter's word, with or without more; a report is one already."""
    who = device.send("--advice")
    look = device.run("replies", words=typed(who))
    assert "You asked for advice. `whistle reporter follow-up --as-report` makes it a report." in look.output
    assert device.run("follow-up", "--as-report", words=typed(who), text="").exit_code == 0
    [made] = [each.message for each in opened(device.app, device.org, "ombuds") if isinstance(each.message, FollowUp)]
    assert made.answers == {"way": "report"} and made.text.startswith("I want what I wrote to be treated as a report")


def test_new_words_go_on_asking_for_advice(device: Device) -> None:
    """And the command that makes it a report is named there."""
    who = device.send("--advice")
    done = device.run("renew", words=typed(who), text="He read them.")
    assert "do so again" in done.stdout and "follow-up --as-report" in done.stdout
    [new] = [each.message for each in opened(device.app, device.org, "ombuds") if each.message.case != who.case.hex()]
    assert isinstance(new, Report) and new.answers == {"way": "advice"}


def test_a_report_is_no_request_for_advice(device: Device) -> None:
    """So nothing makes it a report, and the page of its replies says nothing of advice."""
    who = device.send()
    assert "advice" not in device.run("replies", words=typed(who)).output
    refused = device.run("follow-up", "--as-report", words=typed(who), text="")
    assert refused.exit_code == 1 and "this is no request for advice" in refused.output
    assert len(opened(device.app, device.org, "ombuds")) == 1


def answering(given: Mapping[str, str]) -> list[str]:
    """The options that give these answers."""
    return [part for id, text in given.items() for part in ("--answer-fd", f"{id}={readable(text)}")]


def test_what_a_server_says_that_it_asks(device: Device) -> None:
    """What is no list of questions is refused; a server without one is asked for nothing more."""
    answers = {"status": "404 NOT FOUND", "body": b""}

    def between(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] != "/questions.json":
            return application(environ, start)
        start(answers["status"], [("Content-Length", str(len(answers["body"])))])
        return [answers["body"]]

    device.between = between
    device.send()
    answers |= {"status": "200 OK", "body": b'{"channels":{},"kind":"questions","v":1,"x":1}'}
    refused = device.run("send", "--channel", "harassment", text=TEXT)
    assert refused.exit_code == 1 and "the channels ask is refused" in refused.output
    assert device.report


def test_a_text_longer_than_an_envelope(device: Device) -> None:
    """It travels in blocks, and comes out whole."""
    text = "ض" * 100_000
    device.send(text=text)
    report = device.report
    assert report.rest and not report.text
    opener = attachment.Opener(report.rest)
    pieces = [opener.update(store_of(device.app).block(id) or b"") for id in attachment.block_ids(report.rest)]
    whole = message.with_content(report, b"".join([*pieces, opener.finish()]))
    assert whole.text == text


def _peak(device: Device, path: Path) -> int:
    """Send a file by a process of its own; the most memory that it took, in KiB."""
    options = ["--server", device.url, "--root", str(device.folder / "root-1.pub"), "--channel", "harassment"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "reporter", "send", *options, str(path)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=device.folder / "here",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1])


def test_memory_is_constant(tmp_path: Path) -> None:
    """A large file takes no more memory than a small one, and arrives whole."""
    with connected(tmp_path, datetime.datetime.now(datetime.UTC).date()) as device:
        small = _peak(device, photo(device, 1_000_000, "small"))
        path = photo(device, large(), "large")
        assert _peak(device, path) - small < ROOM
        records = [each.message.attachments[0] for each in opened(device.app, device.org, "ombuds")]
        record = next(record for record in records if record.name == "large")
        with path.open("rb") as file:
            assert content(device, record) == hashlib.file_digest(file, "sha256").hexdigest()


def _published(device: Device) -> Path:
    """What the server publishes, copied into a folder."""
    folder = device.folder / "published"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(device.org.known.data)
    (folder / "manifest.json.minisig").write_bytes(device.org.known.signature)
    return folder


def _seal(device: Device, *options: str, text: str = TEXT) -> Result:
    """Seal a report without network."""
    device.between = instead({"/manifest.json": b""}, 500)
    folder = device.folder / "published"
    where = folder if folder.exists() else _published(device)
    return device.run("seal", "--manifest", str(where), "--channel", "harassment", *options, text=text)


def test_a_block_that_is_sealed_offline_is_pasted(device: Device) -> None:
    """Without any request it gives words and a block of text; pasted, it is a report that the words find."""
    path = photo(device, 1000)
    done = _seal(device, "--leave-out", "counsel", str(path))
    assert done.exit_code == 0 and device.requests == []
    assert done.stdout.startswith("-----BEGIN WHISTLE SEALED REPORT-----\n") and done.stdout.endswith("REPORT-----\n")
    who = derive(words.decode(twelve(done.stderr)))
    device.between = None
    page = Visitor(device.app).tell(done.stdout)
    assert "Your twelve words are those that your computer showed you." in page.text
    report = device.report
    assert (report.text, report.sealed, report.without, report.case) == (TEXT, "device", ("counsel",), who.case.hex())
    assert content(device, report.attachments[0]) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "Waiting. Nobody has picked it up yet." in device.run("replies", words=typed(who)).stdout


def test_what_fits_into_a_block_of_text(device: Device) -> None:
    """A long text or a small file does; more is refused with a hint, and no words are shown."""
    long = _seal(device, text="ض" * 100_000)
    assert long.exit_code == 0 and len(long.stdout.replace("\n", "\r\n")) <= MAX_PASTED
    assert Visitor(device.app).tell(long.stdout).answer.status_code == 200
    for size in (600_000, 5_000_000):
        done = _seal(device, str(photo(device, size)))
        assert (done.exit_code, done.stdout) == (1, "")
        assert "too large for a block of text" in done.stderr and "1. " not in done.stderr


def test_sealing_offline_needs_a_trusted_list(device: Device) -> None:
    """A folder without a manifest, or with one that the pinned root did not sign, seals nothing."""
    folder = _published(device)
    (folder / "manifest.json.minisig").unlink()
    assert "there is no manifest" in _seal(device).stderr
    (folder / "manifest.json.minisig").write_bytes(device.org.root.sign(b"something else", "x"))
    assert "not signed by a root that is pinned" in _seal(device).stderr
    assert "get root-1.pub" in device.run("seal", "--manifest", str(folder), text=TEXT, trust=[]).stderr
