"""One passphrase in different Unicode compositions is the same everywhere."""

import os
import sys
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests import program
from tests.stock.terminal import answer
from tests.test_ceremony import ANSWERS, ROOT, VAULT, lead
from whistle.ceremony import root as roots
from whistle.cli.main import cli
from whistle.protocol import age
from whistle.protocol.trust import keyfile
from whistle.protocol.trust.minisign import SecretKey

COMPOSED = "caf\u00e9 in \u1eb4n long enough \uac01 42"  # letters with one mark and with two, a Korean syllable
APART = unicodedata.normalize("NFD", COMPOSED)
MIXED = COMPOSED.replace("\u00e9", "e\u0301")  # as neither form has it
FORMS = {"composed": COMPOSED, "apart": APART, "mixed": MIXED}
WHISTLE = str(Path(sys.executable).with_name("whistle"))
every_pair = pytest.mark.parametrize("opened", FORMS.values(), ids=FORMS)
every_form = pytest.mark.parametrize("made", FORMS.values(), ids=FORMS)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Passphrases that cost little, in a folder of its own."""
    monkeypatch.setenv("WHISTLE_VAULT_PROFILE", "test")
    seal = roots.key_file
    monkeypatch.setattr(roots, "key_file", lambda secret, passphrase, _=0: seal(secret, passphrase, 8))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, secret: str) -> str:
    """A command that must succeed, its passphrase given through a file descriptor."""
    reading, writing = os.pipe()
    os.write(writing, secret.encode() + b"\n")
    os.close(writing)
    try:
        done = CliRunner().invoke(cli, [*arguments, "--passphrase-fd", str(reading)])
    finally:
        os.close(reading)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def made_with(secret: str) -> None:
    """A vault with its backup."""
    person = ["--name", "A", "--role", "A", "--language", "en", "--public", "a.reviewer", "--backup", "usb"]
    run("workstation", "init", "--folder", "vault", *person, secret=secret)


def backup() -> str:
    """The newest backup's folder."""
    return str(sorted(Path("usb").iterdir())[-1])


@every_form
@every_pair
def test_vault_and_backup(made: str, opened: str) -> None:
    """What opens the vault opens its backups, whichever way each was typed."""
    made_with(made)
    run("workstation", "cases", "--folder", "vault", secret=opened)
    run("workstation", "restore", backup(), "--folder", "again", secret=opened)
    run("workstation", "backup", "--folder", "again", "--to", "usb", secret=made)
    run("workstation", "restore", backup(), "--folder", "third", secret=opened)
    run("workstation", "cases", "--folder", "third", secret=made)


@every_form
@every_pair
def test_the_roots_key_file(made: str, opened: str) -> None:
    """Root's key file opens with either form too, through its commands."""
    run("root", "init", secret=made)
    assert roots.read_key_file(Path("root.key").read_bytes(), opened).public == roots.Keys.read(Path("keys")).roots[0]


@every_pair
def test_the_ceremony(tmp_path: Path, opened: str) -> None:
    """What was typed in the ceremony opens the root and the vault; one passphrase in two forms is not two."""
    typed = [{ROOT: APART, VAULT: VAULT + APART}.get(said, said) for said in ANSWERS]
    place = typed.index("short") + 2
    typed[place : place + 2] = [COMPOSED, COMPOSED]
    done = lead(tmp_path / "new", typed)
    assert done.exit_code == 0 and "That is the root's." in done.output, done.output
    roots.read_key_file((tmp_path / "new" / "root.key").read_bytes(), opened)
    run("workstation", "cases", "--folder", "new/workstation-first", secret=VAULT + opened)


@every_pair
def test_a_terminal(opened: str) -> None:
    """At a prompt it is the same passphrase as through a descriptor."""
    made_with(APART)
    status, screen = answer(WHISTLE, "workstation", "cases", "--folder", "vault", answers=[opened])
    assert status == 0, screen


def test_stock_age_opens_what_was_sealed_with_either_form() -> None:
    """Stock age takes bytes as they are typed: key files are sealed with the composed form, as SECURITY.md says."""
    made_with(APART)
    run("root", "init", secret=MIXED)
    for sealed in (f"{backup()}/keys.age", "root.key"):
        status, screen = answer("age", "-d", "-o", "plain", sealed, answers=[COMPOSED])
        assert status == 0 and "WHISTLE-SECRET-MINISIGN" in Path("plain").read_text(), screen


@every_form
@every_pair
def test_a_file_that_was_sealed_with_the_bytes_as_typed(made: str, opened: str) -> None:
    """What a stock tool, or this program before, sealed otherwise opens by the form that it was sealed with."""
    sealed = age.encrypt([age.ScryptRecipient(made, 8)], b"text")
    if opened == made or made != MIXED:
        assert keyfile.unseal(sealed, opened) == "text"


@pytest.mark.parametrize("secret", ["x" * 1025, "x" * 3000, "short", "\u0301" * 5 + "short"])
@pytest.mark.parametrize("command", ["root", "workstation"])
def test_a_new_passphrase_is_neither_short_nor_cut_off(command: str, secret: str) -> None:
    """What is too short or too long makes nothing, in two lines; none is cut to fit."""
    more = [] if command == "root" else ["--name", "A", "--role", "A", "--no-backup", "--folder", "vault"]
    done = program.run(command, "init", *more, "--passphrase-fd", "0", input=secret.encode() + b"\n")
    error, hint = done.stderr.decode().splitlines()
    assert (done.returncode, error[:15], hint[:6]) == (1, "whistle: error:", "hint: ")
    assert not Path("root.key").exists() and not Path("vault").exists()


def test_bytes_that_are_no_text_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of another encoding is named, in two lines."""
    roots.write_secret(Path("root.key"), roots.key_file(SecretKey.generate(), COMPOSED, 8))
    monkeypatch.setattr("click.prompt", lambda *_, **__: "caf\udce9 long enough")
    made = CliRunner().invoke(cli, ["root", "init", "--key", "other.key"])
    assert made.exit_code == 1 and "set the terminal to UTF-8" in made.stderr
