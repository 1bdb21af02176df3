"""Work of a workstation in a process that gets killed: python -m tests.workstation.killed …"""

import io
import sys
from pathlib import Path

from tests.parties import DAY
from tests.workstation.carrying import PASSPHRASE
from whistle.workstation import backup
from whistle.workstation.cases import overview
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.tray import tray
from whistle.workstation.vault import keyfile
from whistle.workstation.workstation import Workstation


def text_of(number: int) -> str:
    """The text of the numbered reply, long enough to need blocks."""
    return f"Reply {number}. " + "We look into it. " * 2000


def _exchange(station: Workstation, stick: Path, number: int) -> None:
    exchange(station, stick)


def _reply(station: Workstation, stick: Path, number: int) -> None:
    case = overview.load(station, station.case_ids()[0])
    tray.reply(station, case, text_of(number), [Upload("plan", "text/plain", io.BytesIO(bytes(300_000)))])


def _backup(station: Workstation, stick: Path, number: int) -> None:
    backup.save(station, stick.parent / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N)


DO = {"exchange": _exchange, "reply": _reply, "backup": _backup}


if __name__ == "__main__":
    folder, stick, what, number = sys.argv[1:]
    opened = Workstation.open(Path(folder), PASSPHRASE, lambda: DAY)
    print("begins", flush=True)
    DO[what](opened, Path(stick), int(number))
    print("done", flush=True)
