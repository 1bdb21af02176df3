"""What a workstation does in a process that is killed while it does it: python -m tests.workstation.killed …"""

import io
import sys
from pathlib import Path

from tests.parties import DAY
from tests.workstation.carrying import PASSPHRASE
from whistle.workstation import backup, cases, keyfile, writing
from whistle.workstation.exchange import exchange
from whistle.workstation.workstation import Workstation
from whistle.workstation.writing import Upload


def text_of(number: int) -> str:
    """What the numbered reply says, long enough for blocks of its own."""
    return f"Reply {number}. " + "We look into it. " * 2000


def _exchange(station: Workstation, stick: Path, number: int) -> None:
    exchange(station, stick)


def _reply(station: Workstation, stick: Path, number: int) -> None:
    case = cases.load(station, station.case_ids()[0])
    writing.reply(station, case, text_of(number), [Upload("plan", "text/plain", io.BytesIO(bytes(300_000)))])


def _backup(station: Workstation, stick: Path, number: int) -> None:
    backup.write(station, stick.parent / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N)


DO = {"exchange": _exchange, "reply": _reply, "backup": _backup}


if __name__ == "__main__":
    folder, stick, what, number = sys.argv[1:]
    opened = Workstation.open(Path(folder), PASSPHRASE, lambda: DAY)
    print("begins", flush=True)
    DO[what](opened, Path(stick), int(number))
    print("done", flush=True)
