"""Sticks: which are in, which of them are known, and when one may be taken out.

A stick is known by a mark, a small file with a random number and a name that somebody gave it.  A program remembers the
numbers that it was told to use; before that, nothing is written on a stick.
"""

import ctypes
import json
import os
import re
import secrets
import shutil
import stat
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from whistle import durable

MARK = "whistle-stick.json"
MAX_MARK = 1024  # bytes
LONGEST = 40  # characters of a name
ID = re.compile(r"[0-9a-f]{32}")
MOUNTED = (Path("/media"), Path("/run/media"), Path("/Volumes"))  # where desktops of Linux and macOS mount sticks
KNOWN = "sticks.json"  # in a program's own folder
TIME = 60  # seconds for the system's program that unmounts


@dataclass(frozen=True)
class Stick:
    """A stick that is in: its folder, and the number and name of its mark, both empty without one."""

    folder: Path
    id: str = ""
    name: str = ""


def mounted() -> list[Stick]:
    """The sticks that are in and can be written, by folder; no root is needed."""
    parts = psutil.disk_partitions()
    folders = {Path(part.mountpoint) for part in parts if _is_stick(part.device, part.mountpoint, part.opts)}
    return [marked(folder) for folder in sorted(folders)]


def _is_stick(device: str, folder: str, options: str) -> bool:
    given = options.split(",")
    if "ro" in given or "cdrom" in given:
        return False
    inside = any(place in Path(folder).parents for place in MOUNTED)
    return inside or "removable" in given or _is_removable(device)


def _is_removable(device: str) -> bool:
    """Whether Linux calls the device removable, or the disk of which it is a part."""
    place = Path("/sys/class/block") / Path(device).name
    try:
        flags = [each / "removable" for each in (place, place.resolve().parent)]
        return any(flag.read_text("ascii").strip() == "1" for flag in flags if flag.is_file())
    except OSError:
        return False


def marked(folder: Path) -> Stick:
    """The stick in a folder; a mark that cannot be read, or that no program of ours wrote, is none."""
    try:
        handle = os.open(folder / MARK, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return Stick(folder)
            data = file.read(MAX_MARK + 1)
        record = json.loads(data) if len(data) <= MAX_MARK else {}
        id, name = record["id"], checked(record["name"])
        return Stick(folder, id, name) if ID.fullmatch(id) else Stick(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Stick(folder)


def mark(folder: Path, name: str) -> Stick:
    """Write a mark with this name, or keep the one that is there.  Raises ValueError for no name, OSError."""
    found = marked(folder)
    if found.id:
        return found
    made = Stick(folder, secrets.token_hex(16), checked(name))
    durable.write(folder / MARK, json.dumps({"id": made.id, "name": made.name}).encode(), 0o644)
    return made


def checked(name: str) -> str:
    """A name of one line that can be shown.  Raises ValueError."""
    name = name.strip()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise ValueError(f"a stick's name is one line of 1 to {LONGEST} characters")
    return name


def known(own: Path) -> set[str]:
    """The numbers of the sticks that a program with this folder was told to use."""
    try:
        return {id for id in json.loads((own / KNOWN).read_text("utf-8")) if isinstance(id, str)}
    except (OSError, ValueError, TypeError):
        return set()


def remember(own: Path, stick: Stick) -> None:
    """Use this stick without asking from now on.  Raises OSError."""
    durable.write(own / KNOWN, json.dumps(sorted({*known(own), stick.id})).encode())


def usable(found: Sequence[Stick], ids: Collection[str]) -> list[Stick]:
    """Those that are known, by name; two copies of one mark count as none, since one of them is a stranger's."""
    numbers = [stick.id for stick in found]
    ours = [stick for stick in found if stick.id in ids and numbers.count(stick.id) == 1]
    return sorted(ours, key=lambda stick: (stick.name, stick.id))


def offered(own: Path, named: Path | None = None) -> tuple[list[Stick], list[Stick]]:
    """The sticks that a program with this folder can use, and the ones that somebody has to be asked about first.

    With a named folder, that one alone, if it is there.
    """
    if named is not None:
        return ([Stick(named)] if named.is_dir() else []), []
    found = mounted()
    ours = usable(found, known(own))
    return ours, [stick for stick in found if stick not in ours]


def adopt(own: Path, folder: str, name: str) -> bool:
    """Use the new stick in this folder from now on, under this name if it has none; whether it is still there.

    Raises ValueError for no name, OSError.
    """
    stick = next((each for each in offered(own)[1] if str(each.folder) == folder), None)
    if stick is not None:
        remember(own, mark(stick.folder, name))
    return stick is not None


def flush(folder: Path) -> None:
    """Return once all that was written in the folder's file system is on its medium.  Raises OSError."""
    durable.sync_folder(folder)
    if sys.platform == "linux":
        handle = os.open(folder, os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syncfs(handle):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(handle)


def unmount(folder: Path) -> bool:
    """Ask the system to let go of a stick; whether it is no longer there."""
    device = next((part.device for part in psutil.disk_partitions() if Path(part.mountpoint) == folder), None)
    for command in _commands(device or "", folder):
        path = shutil.which(command[0])
        if device is None or path is None:
            continue
        try:
            subprocess.run([path, *command[1:]], check=True, capture_output=True, timeout=TIME)  # noqa: S603
        except (OSError, subprocess.SubprocessError):
            continue
        return all(Path(part.mountpoint) != folder for part in psutil.disk_partitions())
    return False


def _commands(device: str, folder: Path) -> list[list[str]]:
    if sys.platform == "darwin":
        return [["diskutil", "eject", str(folder)]]
    return [["udisksctl", "unmount", "--no-user-interaction", "-b", device], ["gio", "mount", "-u", str(folder)]]
