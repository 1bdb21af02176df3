"""The reviewer's commands, run as programs."""

import datetime
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.parties import Organisation, organisation, report, reporter, sealed, signed
from tests.patience import PATIENCE
from tests.workstation.carrying import PASSPHRASE, Carrier, World, attach
from whistle.cli.main import cli
from whistle.protocol.case import message
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.enrolment import ReviewerKeys
from whistle.protocol.trust.manifest import Reviewer, SignedManifest, Signing
from whistle.protocol.trust.minisign import SecretKey
from whistle.workstation.workstation import Workstation, utc_today


class Desk:
    """A reviewer at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stick = folder / "stick"
        self.stick.mkdir()

    def run(self, *arguments: object, said: str = "", secret: str = PASSPHRASE) -> Result:
        """Run a command; the passphrase comes by a file descriptor."""
        reading, writing = os.pipe()
        os.write(writing, secret.encode() + b"\n")
        os.close(writing)
        try:
            return CliRunner().invoke(
                cli,
                ["workstation", *map(str, arguments), "--passphrase-fd", str(reading)],
                input=said,
                env={"WHISTLE_VAULT_PROFILE": "test", "WHISTLE_WORKSTATION": str(self.folder / "vault")},
            )
        finally:
            os.close(reading)


def two_lines(done: Result, told: str) -> None:
    """A failure has one line of what is wrong, one of what to do, and an exit status."""
    lines = [line for line in done.stderr.splitlines() if line.startswith(("whistle: error: ", "hint: "))]
    assert len(lines) == 2 and told in lines[0] and lines[1] != "hint: ", (done.stderr, done.exception)
    assert done.exit_code == 1


def enlisted(org: Organisation, keys: ReviewerKeys) -> SignedManifest:
    """A manifest of today that lists these keys as the ombudsperson's."""
    listed = Reviewer("ombuds", keys.name, keys.role, keys.languages, False, (Signing(keys.signing, None),), ())
    end = org.manifest.expires + manifest.GRACE
    listed = replace(listed, recipients=tuple(each for each in keys.recipients if each.first <= end))
    others = tuple(each for each in org.manifest.reviewers if each.id != "ombuds")
    return signed(replace(org.manifest, reviewers=(listed, *others)), org.root)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A terminal in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


def test_a_case_from_the_first_command_to_the_backup(desk: Desk) -> None:
    """init, exchange, cases, show, reply, note, status, grant, attachments save, export, backup and restore."""
    org = organisation(utc_today())
    root = desk.folder / "root-1.pub"
    root.write_bytes(org.root.public.file())
    made = desk.run(
        "init", "--name", "R. Reviewer", "--role", "Ombudsperson", "--root", root,
        "--public", "me.reviewer", "--backup", desk.folder / "usb",
    )  # fmt: skip
    assert made.exit_code == 0 and (desk.folder / "usb").is_dir()
    keys = enrolment.read((desk.folder / "me.reviewer").read_bytes())
    assert isinstance(keys, ReviewerKeys) and len(keys.recipients) == 6
    assert enrolment.digits((desk.folder / "me.reviewer").read_bytes()) in made.stdout
    org.known = enlisted(org, keys)
    carrier, who = Carrier(org, today=utc_today()), reporter()
    blocks, record = attach(b"a photograph")
    carrier.put_blocks(blocks)
    found = report(who, org, text="Third \x1b[2Jfloor.", attachments=(record,), day=utc_today())
    carrier.put(sealed(message.sign(found, who.signing), org, ("ombuds", "ethics"), utc_today()))
    carrier.inbox(desk.stick)
    assert "1 new message in 1 case" in desk.run("exchange", desk.stick).stdout
    shown = desk.run("cases")
    listed, reference = shown.stdout, shown.stdout.split()[0]
    assert "acknowledge receipt" in listed and "something due: 1 within fourteen days." in shown.stderr
    for counts, said in [
        (("--as", "neither"), "In the tray, number 1: "), ((), "In the tray as acknowledgement, number 2: "),
        ((), "In the tray, number 3: "), (("--as", "feedback"), "In the tray as feedback, number 4: "),
    ]:  # fmt: skip
        assert said in desk.run("reply", reference, *counts, said="We look into it.\n").stdout
    assert re.search("acknowledge receipt by [0-9-]+; answered, not delivered yet", desk.run("cases").stdout)
    assert "en/acknowledgement  Acknowledgement of receipt\n" in desk.run("text", reference).stdout
    begun = desk.run("text", reference, "en/acknowledgement").stdout
    assert reference in begun and "{reference}" not in begun
    two_lines(desk.run("text", reference, "en/nothing"), "no text of this name")
    shown = desk.run("show", reference[:6]).stdout
    assert "floor." in shown and "\x1b" not in shown
    for arguments, said in [
        (("reply", reference, "--attach", root), "We look into it.\n"),
        (("note", reference), "Between us.\n"),
        (("status", reference, "--set", "open", "--claim", "--reason-file", "-", "--yes"), "Plausible"),
        (("status", reference, "--set", "open", "--label", "urgent"), "y\n"),
        (("grant", reference, "counsel"), "y\n"),
        (("attachments", "save", reference, "--to", desk.folder / "files"), ""),
        (("export", reference, "--to", desk.folder / "out"), ""),
        (("exchange", desk.stick), ""),
        (("grant", reference, "counsel", "--again", "--yes"), ""),
        (("exchange", desk.stick), ""),
        (("backup", "--to", desk.folder / "usb"), ""),
        (("try-backup", desk.folder / "usb"), ""),
    ]:
        done = desk.run(*arguments, said=said)
        assert done.exit_code == 0 and "error" not in done.stderr, (arguments, done.stderr)
    waiting = desk.run("tray").stdout
    for arguments, asked in [
        (("status", reference, "--set", "closed"), "| The case is closed. Labels: urgent."),
        (("grant", reference, "counsel", "--again"), "Staff counsel (counsel) gets all of this case once more"),
    ]:
        done = desk.run(*arguments, said="n\n")
        assert done.exit_code == 1 and asked in done.stdout and desk.run("tray").stdout == waiting
    (desk.folder / "latin.txt").write_bytes("déjà".encode("latin-1"))
    os.mkfifo(desk.folder / "pipe")
    for arguments, told in [
        (("note", reference, "--text-file", "latin.txt"), "no text in UTF-8"),
        (("note", reference, "--attach", "pipe"), "pipe is no file"),
        (("export", reference, "--to", desk.folder / "out"), "exported there already"),
        (("grant", reference, "counsel"), "reads this case already"),
        (("grant", reference, "nobody"), "no active reviewer nobody"),
        (("grant", reference, "ombuds", "--again"), "ombuds is no other reader"),
        (("status", reference, "--set", "open", "--deadline", "1999-01-01"), "1999-01-01 is in the past"),
        (("status", reference, "--set", "open", "--label", "x" * 65), "at most 16 labels of 64"),
        (("status", reference, "--set", "open", "--reason-file", desk.folder / "long.txt"), "at most 4096"),
    ]:
        (desk.folder / "long.txt").write_text("x" * 5000)
        two_lines(desk.run(*arguments, said="text"), told)
    assert (desk.folder / "files" / "photo.jpg").read_bytes() == b"a photograph"
    [exported] = (desk.folder / "out").iterdir()
    text = (exported / "record.txt").read_text()
    assert "We look into it." in text and "photo.jpg" in text and (exported / "files" / "photo.jpg").exists()
    assert "No courier has said" in desk.run("sent").stdout
    assert carrier.push(desk.stick)[0].imports[0].reviewer == "ombuds"
    carrier.heaps = {id: each for id, each in carrier.heaps.items() if each[0] == "reporters"}
    carrier.inbox(desk.stick)
    assert desk.run("exchange", desk.stick).exit_code == 0
    listed = desk.run("sent", reference).stdout.splitlines()
    assert len(listed) > 1 and all("no copy came back yet" in line for line in listed)
    assert listed[0].startswith(f"{reference}  reply of {utc_today()}: the courier said on {utc_today()}")
    assert desk.run("sent", "--again").stdout.startswith("0 message(s) go again; 0 wait")
    again = desk.run("sent", reference, "--again").stdout
    assert again == f"{len(listed)} message(s) go again; {len(listed)} wait for the next exchange.\n"
    (desk.folder / "vault").rename(desk.folder / "lost")
    assert desk.run("restore", desk.folder / "usb").exit_code == 0
    assert desk.run("show", reference).stdout.startswith(f"Case {reference}")
    two_lines(desk.run("note", reference, said="Too early."), "was restored from a backup")


@pytest.mark.parametrize(
    ("arguments", "secret", "told"),
    [
        (("cases",), "the wrong passphrase", "does not open"),
        (("show", "1234"), PASSPHRASE, "no such case"),
        (("exchange", "nowhere"), PASSPHRASE, "no stick"),
        (("init", "--name", "a", "--role", "b", "--no-backup"), PASSPHRASE, "already"),
        (("init", "--name", "a", "--role", "b", "--no-backup", "--folder", "x"), "short", "12 characters"),
        (("cases", "--folder", "elsewhere"), PASSPHRASE, "no vault"),
        (("restore", "nowhere", "--folder", "y"), PASSPHRASE, "no backup in this folder"),
        (("restore", "nowhere"), PASSPHRASE, "already"),
        (("restore", ".", "--folder", "y"), PASSPHRASE, "no backup in this folder"),
        (("exchange", "me.reviewer"), PASSPHRASE, "is a file"),
        (("import", "nowhere"), PASSPHRASE, "does not exist"),
        (("import", "me.reviewer"), PASSPHRASE, "not all that lies there was taken"),
        (("import", ".", "--root", "none.pub"), PASSPHRASE, "does not exist"),
        (("import", ".", "--root", "me.reviewer"), PASSPHRASE, "not a published root key"),
        (("reply", "12", "--attach", "none"), PASSPHRASE, "does not exist"),
        (("public", "--to", "no/such/file"), PASSPHRASE, "No such file"),
        (("public", "--to", "."), PASSPHRASE, "is a directory"),
        (("backup", "--to", "me.reviewer"), PASSPHRASE, "is a file"),
        (("open", "--courier", "nowhere", "--no-browser"), PASSPHRASE, "no courier"),
        (("cases", "--folder", "me.reviewer"), PASSPHRASE, "is a file"),
        (("init", "--name", " ", "--role", "b", "--no-backup", "--folder", "x"), PASSPHRASE, "no name"),
        (("init", "--name", "a" * 129, "--role", "b", "--no-backup", "--folder", "x"), PASSPHRASE, "no name"),
        (("init", "--name", "a", "--role", "\x1b[2J", "--no-backup", "--folder", "x"), PASSPHRASE, "no role"),
        (
            ("init", "--name", "a", "--role", "b", "--language", "en_GB", "--no-backup", "--folder", "x"),
            PASSPHRASE,
            "no languages",
        ),
    ],
)
def test_a_refusal_is_two_lines_and_exit_status_1(
    desk: Desk, arguments: tuple[str, ...], secret: str, told: str
) -> None:
    """Every error is one line of what is wrong and one of what to do, without any passphrase."""
    made = desk.run("init", "--name", "R", "--role", "Ombudsperson", "--no-backup", "--public", "me.reviewer")
    assert made.exit_code == 0
    done = desk.run(*arguments, secret=secret)
    two_lines(done, told)
    assert secret not in done.stderr + done.stdout
    assert not (desk.folder / "x" / "vault.json").exists()


@pytest.mark.parametrize("lacks", [("--public", "no/such/file"), ("--backup", "/proc/none")], ids=["public", "backup"])
def test_what_a_new_workstation_lacks_is_said(desk: Desk, lacks: tuple[str, str]) -> None:
    """If the vault is made but a file beside it is not, both are reported, and how to make the rest."""
    given = dict([("--public", "me.reviewer"), ("--backup", "usb"), lacks])
    options = [word for pair in given.items() for word in pair]
    done = desk.run("init", "--name", "R", "--role", "Ombudsperson", *options)
    two_lines(done, "the workstation is made, but not its")
    assert desk.run("cases").exit_code == 0


def test_the_page_opens_with_its_address_and_locks_again(desk: Desk) -> None:
    """`open` prints its address and serves the page there, and Ctrl-C closes the vault."""
    assert (
        desk.run("init", "--name", "R", "--role", "Ombudsperson", "--no-backup", "--public", "me.file").exit_code == 0
    )
    reading, writing = os.pipe()
    os.write(writing, PASSPHRASE.encode() + b"\n")
    os.close(writing)
    code = "from whistle.cli.main import main; main()"
    command = [sys.executable, "-uc", code, "workstation", "open", str(desk.stick), "--passphrase-fd", str(reading)]
    environment = {**os.environ, "WHISTLE_WORKSTATION": str(desk.folder / "vault")}
    with subprocess.Popen(
        command, pass_fds=[reading], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        os.close(reading)
        assert program.stdout is not None and program.stderr is not None
        address = program.stdout.readline().split()[-1]
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            shown = answer.read().decode()
        assert "No case has come yet" in shown and str(desk.stick) in shown
        assert desk.run("cases").exit_code == 0
        port = address.split(":")[2].split("/")[0]
        program.send_signal(signal.SIGINT)
        assert program.wait(PATIENCE) == 0 and "Locked." in program.stdout.read()
        assert address not in program.stderr.read()
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what was answered lingers; nobody listens
        busy.bind(("127.0.0.1", int(port)))
        busy.listen()
        assert f"port {port} is in use" in desk.run("open", "--port", port).stderr


def test_the_page_asks_for_the_passphrase(desk: Desk) -> None:
    """Without a terminal and a descriptor `open` shows a locked page; other commands work all the time, and the
    page ends the program."""
    made = desk.run("init", "--name", "R", "--role", "Ombudsperson", "--no-backup", "--public", "me.file")
    assert made.exit_code == 0
    command = [sys.executable, "-uc", "from whistle.cli.main import main; main()", "workstation", "open"]
    environment = {**os.environ, "WHISTLE_WORKSTATION": str(desk.folder / "vault")}
    with subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None and program.stderr is not None
        address = program.stdout.readline().split()[-1]

        def send(form: str, **fields: str) -> str:
            origin = {"Origin": "/".join(address.split("/")[:3])}
            body = urllib.parse.urlencode(fields).encode()
            request = urllib.request.Request(address + form, body, origin)
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return str(answer.read().decode())

        assert desk.run("cases").exit_code == 0
        assert "does not open the vault" in send("unlock", passphrase="seven quiet otters swam")
        assert "No case has come yet" in send("unlock", passphrase=PASSPHRASE)
        assert desk.run("cases").exit_code == 0
        assert "Unlock the workstation" in send("lock")
        assert desk.run("cases").exit_code == 0
        assert "Whistle is locked and has ended." in send("end")
        assert program.wait(PATIENCE) == 0
        assert PASSPHRASE not in program.stdout.read() + program.stderr.read()


def test_a_clock_that_was_wrong_can_be_accepted(desk: Desk) -> None:
    """`clock --accept` repairs a vault that was used on a day in the future."""
    folder = desk.folder / "vault"
    ahead = utc_today() + datetime.timedelta(days=4000)
    Workstation.create(
        folder, PASSPHRASE, name="R", role="R", languages=["en"], profile="test", today=lambda: ahead,
        signing=SecretKey.generate(),
    ).close()  # fmt: skip
    assert f"last used on {ahead}" in desk.run("clock").stdout
    assert f"last used on {utc_today()}" in desk.run("clock", "--accept").stdout


def test_what_waits_is_changed_and_taken_back(world: World) -> None:
    """`tray` lists, shows, changes and takes back by number; what was carried cannot be taken back, and says so."""
    world.report()
    world.round("ombuds")
    world.station("ombuds").close()
    (world.folder / "terminal").mkdir()
    desk = Desk(world.folder / "terminal")

    def run(*arguments: object, said: str = "") -> Result:
        return desk.run(*arguments, "--folder", world.folder / "ombuds", said=said)

    assert run("tray").stdout == "The tray is empty.\n"
    reference = run("cases").stdout.split()[0]
    for said in ("We look\x1b into it.\n", "We look again.\n"):
        assert "In the tray" in run("reply", reference, "--as", "neither", said=said).stdout
    listed = run("tray").stdout
    assert "--- 1: Reply to the reporter, case" in listed and "\x1b" not in listed
    assert "| We look\ufffd into it." in listed
    assert "In the tray, number 1" in run("tray", 1, "--text-file", "-", said="We looked.\n").stdout
    assert "| We looked." in run("tray", 1).stdout and "| We looked." in run("show", reference).stdout
    assert run("tray", 2, "--take-back").stdout.startswith("Taken back: Reply to the reporter")
    assert run("tray", 1, "--go").exit_code == 0
    two_lines(run("tray", "--take-back"), "the number is missing")
    (world.folder / "empty").mkdir()
    assert "Signed and sealed from the tray: 1." in run("exchange", world.folder / "empty").stdout
    carried = run("tray", 1, "--take-back")
    two_lines(carried, "nothing with the number 1")
    assert "what was carried already cannot be changed or taken back" in carried.stderr
