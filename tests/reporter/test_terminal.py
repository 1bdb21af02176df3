"""Somebody at a terminal, who is asked for what no argument may hold."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.reporter.device import TEXT, Device, Terminal, connected, instead, twelve
from tests.server.visitor import answer
from tests.serving import WSGI
from whistle.cli import prompts
from whistle.cli.reporter import reporter as command
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive
from whistle.protocol.trust import manifest
from whistle.reporter import connection


@pytest.fixture
def today(tmp_path: Path) -> Iterator[Device]:
    """A device and a server on the day that it is."""
    with connected(tmp_path, datetime.datetime.now(datetime.UTC).date()) as found:
        yield found


def test_a_report_and_a_lookup_at_a_terminal(today: Device) -> None:
    """Digits, channel, whom to leave out and the text are asked for; later the words, until they are right."""
    send = Terminal(today, "send", "--server", today.url)
    send.type("Are they the same? [y/N]: ", "y\n")
    send.type("Which channel?: ", "harassment\n")
    send.type("(ids, or nothing): ", "counsel, ethics\n")
    send.type("end with Ctrl-D on a line of its own.", f"{TEXT}\nHe knows.\n\4")
    send.type("When was it? (Enter leaves it out): ", "In May.\n")
    assert send.end() == 0
    assert "A rough date will do." in send.screen and (today.report.answers or {})["when"] == "In May."
    assert manifest.fingerprint([today.org.root.public]) in send.screen
    assert "Will read it: Ombudsperson." in send.screen and "Left out: Staff counsel and Ethics office." in send.screen
    said = send.screen.partition("It is stored.")[2]
    who = derive(words.decode(twelve(said)))
    assert (today.report.text, today.report.without) == (f"{TEXT}\nHe knows.", ("counsel", "ethics"))

    answer(today.app, today.org, who, today.report, "Are you safe?")
    look = Terminal(today, "replies", "--server", today.url, "--root", str(today.folder / "root-1.pub"))
    look.type("Your twelve words: ", "abandon abillity\n")
    look.type("Your twelve words: ", "abillity " * 12 + "\n")
    look.type("Your twelve words: ", " ".join(map(str, words.numbers(who.code))) + "\n")
    assert look.end() == 0
    assert "these are 2" in look.screen and "Did you mean ability" in look.screen
    assert "| Are you safe?" in look.screen

    back = Terminal(today, "withdraw", "--server", today.url)
    back.type("Your twelve words: ", " ".join(words.encode(who.code)) + "\n")
    back.type("Withdraw it now? [y/N]: ", "n\n")
    assert back.end() == 1 and today.report


def test_digits_that_differ(today: Device) -> None:
    """Whoever does not say yes to the digits sends nothing."""
    send = Terminal(today, "send", "--server", today.url)
    send.type("Are they the same? [y/N]: ", "\n")
    assert send.end() == 1
    assert "the digits are not the same, or were not compared" in send.screen
    assert not [path for path in today.requests if path.startswith("/api/")]


def test_after_many_tries_somebody_is_asked(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed is kept while the connection is away; each yes tries again, until it is stored once."""
    monkeypatch.setattr(prompts, "at_a_terminal", lambda: True)
    away, tries = instead({"/api/store": b""}, 503), 2 * (1 + len(connection.WAITS))

    def between(application: WSGI, environ: dict[str, object], start: object) -> object:
        broken = device.requests.count("/api/store") <= tries
        return away(application, environ, start) if broken else application(environ, start)

    device.between = between
    where = ["--server", device.url, "--root", str(device.folder / "root-1.pub"), "--channel", "harassment"]
    done = CliRunner().invoke(command, ["send", *where], input=f"\n{TEXT}\x04", catch_exceptions=False)
    assert done.exit_code == 1, "nobody is there any more to say yes"
    device.requests.clear()
    monkeypatch.setattr(prompts, "text", lambda descriptor, asked: TEXT)
    done = CliRunner().invoke(command, ["send", *where], input="\n\ny\ny\n", catch_exceptions=False)
    assert done.exit_code == 0 and done.stderr.count("Nothing is lost as long as this window stays open.") == 2
    assert device.report.case == derive(words.decode(twelve(done.stdout))).case.hex()
