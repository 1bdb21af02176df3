"""What a courier or a reviewer does, as a process of its own whose memory can be measured.

`python -m tests.trial.process STEP …` prints, for each thing that it has done, the most memory in KiB that it needed.
"""

import subprocess
import sys
from pathlib import Path

from tests.workstation.carrying import PASSPHRASE
from whistle.courier import Courier
from whistle.workstation.cases import compose, overview
from whistle.workstation.cases.saved_files import save
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.workstation import Workstation


def carry(folder: Path, stick: Path) -> None:
    """The courier's exchange."""
    Courier(folder).exchange(stick)
    say()


def review(folder: Path, stick: Path, saved: Path) -> None:
    """The workstation's exchange; save the one file, reply with it, exchange again; a line with each peak."""
    workstation = Workstation.open(folder, PASSPHRASE)
    exchange(workstation, stick)
    say()
    [case] = overview.queue(workstation)
    [(_, record)] = overview.files(case)
    path = save(record, workstation.blocks, saved)
    say()
    with path.open("rb") as stream:
        compose.reply(workstation, case, "Here it is.", [Upload(path.name, "application/zip", stream)])
    say()
    exchange(workstation, stick)
    say()
    workstation.close()


STEPS = {"carry": carry, "review": review}


def peak(pid: int | str = "self") -> int:
    """The most memory, in KiB, that a process has had since it began or since `forget`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])


def forget(pid: int | str) -> None:
    """Let the peak of a process begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def say() -> None:
    """A line with this process's peak, which then begins anew."""
    print(peak())
    forget("self")


def run(step: str, *arguments: Path) -> list[int]:
    """Run a step in a process of its own; its peaks in KiB."""
    command = [sys.executable, "-m", "tests.trial.process", step, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


if __name__ == "__main__":
    STEPS[sys.argv[1]](*map(Path, sys.argv[2:]))
