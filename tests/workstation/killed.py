"""Work of a workstation in a process that gets killed: python -m tests.workstation.killed …"""

import io
import sys
from pathlib import Path

import flask

from tests.parties import DAY
from tests.workstation.carrying import PASSPHRASE
from whistle.workstation import backup
from whistle.workstation.app.app import create_app
from whistle.workstation.app.pages import name_of
from whistle.workstation.cases import overview
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.tray import tray
from whistle.workstation.vault import keyfile, removal
from whistle.workstation.workstation import Workstation

QUAGGA = "Quagga" * 4  # planted; long enough that chance writes it nowhere, not even as base64
HOST = "http://127.0.0.1:4711"


def text_of(number: int) -> str:
    """The text of the numbered reply, long enough to need blocks."""
    return f"Reply {number}. " + "We look into it. " * 2000


def _exchange(station: Workstation, stick: Path, number: int) -> None:
    exchange(station, stick)


def _reply(station: Workstation, stick: Path, number: int) -> None:
    case = overview.load(station, station.case_ids()[0])
    tray.reply(station, case, text_of(number), [Upload("plan", "text/plain", io.BytesIO(bytes(300_000)))])


def _backup(station: Workstation, stick: Path, number: int) -> None:
    usb, scratch = stick.parent / "usb", stick.parent / "scratch"
    backup.save(station, usb, PASSPHRASE, keyfile.CHEAP_LOG_N)
    scratch.mkdir(exist_ok=True)
    assert backup.try_backup(station, usb, PASSPHRASE, scratch=scratch).works


def _page(station: Workstation, stick: Path, number: int) -> None:
    """What somebody does at the page who types, searches, looks at a file, changes their mind, and deletes a case."""
    app = create_app(station, stick, saved=stick.parent / "saved", token="t")
    page, said, kept = app.test_client(), f"{QUAGGA} {number}. " * 600, station.case_ids()[0]
    case, message = f"case/{name_in(app, kept)}", name_in(app, station.hashes(kept)[0])

    def send(path: str, **fields: object) -> None:
        sent = page.post(f"/t/{path}", base_url=HOST, headers={"Origin": HOST}, data=fields, follow_redirects=True)
        assert sent.status_code == 200, sent.text

    send(f"{case}/own", title=f"{QUAGGA} {number}", labels=QUAGGA)
    send(f"{case}/reply", text=said, mark="", keep="yes")
    send("search", words=f"{QUAGGA} -okapi")
    send(f"{case}/note", text=said, files=(io.BytesIO(said.encode() * 40), f"{QUAGGA}.txt"))
    send(f"tray/{tray.items(station)[-1].id}/change", text=f"{said} Again.")
    send(f"{case}/file/{message}/0/bytes")
    send("filter/keep", name=QUAGGA)
    send("ticked", case=name_in(app, kept), do="label", label=f"{QUAGGA} two")
    send(f"{case}/discard/reply")
    removal.remove(station, overview.load(station, station.case_ids()[-1]))


def name_in(app: flask.Flask, case: str) -> str:
    """A case's name in addresses."""
    with app.app_context():
        return name_of(case)


DO = {"exchange": _exchange, "reply": _reply, "backup": _backup, "page": _page}


if __name__ == "__main__":
    folder, stick, what, number = sys.argv[1:]
    opened = Workstation.open(Path(folder), PASSPHRASE, lambda: DAY)
    print("begins", flush=True)
    DO[what](opened, Path(stick), int(number))
    print("done", flush=True)
