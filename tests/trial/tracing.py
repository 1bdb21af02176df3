"""What programs write under strace: every byte that goes to any file, be it deleted, without a name or in memory.

`-D` keeps the program the child of whoever started it, so that it can be signalled and killed as usual.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import PATIENCE

CALLS = (
    "write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,splice,vmsplice,tee,io_uring_setup,io_setup,mmap,"
    "open,openat,openat2,creat,memfd_create,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,link,linkat,"
    "rename,renameat,renameat2,unlink,unlinkat,setxattr,lsetxattr,fsetxattr"
)
UNSEEN = re.compile(rb"^(splice|vmsplice|tee|io_uring_setup|io_setup|sendfile|copy_file_range)\(", re.M)
LONGEST = 4 * 1024 * 1024  # bytes of one call; nothing writes more at once
CALL = re.compile(rb"^(\w+)\((.*)$")
DESCRIPTOR = re.compile(rb"^\d+<((?:\\x[0-9a-f]{2})*)>")
BYTES = re.compile(rb'(?:"|iov_base=")((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
OPENED = re.compile(rb'"((?:\\x[0-9a-f]{2})*)", [^"]*O_(?:WRONLY|RDWR)[^"]*\) = \d+<((?:\\x[0-9a-f]{2})*)>')
PLACED = re.compile(rb'<((?:\\x[0-9a-f]{2})*)>, "((?:\\x[0-9a-f]{2})*)"')
MAPPED = re.compile(rb"PROT_WRITE[^,]*, MAP_SHARED[^,]*, \d+<((?:\\x[0-9a-f]{2})*)>")
ELSEWHERE = (b"pipe:", b"socket:", b"anon_inode:", b"/dev/null", b"/dev/tty", b"/dev/pts/", b"/proc/", b"/sys/")
STRACE = shutil.which("strace")


def _plain(escaped: bytes) -> bytes:
    return bytes.fromhex(escaped.replace(b"\\x", b"").decode())


@dataclass
class Seen:
    """The bytes that went to each file, all names that were made, opened for writing or taken, what was mapped so."""

    written: dict[str, bytes]
    names: set[str]
    mapped: set[str]

    def holding(self, patterns: list[bytes], *allowed: Path) -> list[str]:
        """The files outside the allowed folders whose name or content has any of the patterns."""
        places = tuple(str(folder) for folder in allowed) or ("\0",)
        found = [name for name, data in self.written.items() if _in(patterns, data)]
        found += [name for name in self.names if _in(patterns, os.fsencode(name))]
        return [name for name in found if not name.startswith(places)]


def _in(patterns: list[bytes], data: bytes) -> bool:
    return any(pattern in data for pattern in patterns)


class Tracer:
    """Programs run under it leave their traces in a folder, which nothing of theirs may touch."""

    def __init__(self, folder: Path) -> None:
        if STRACE is None:
            pytest.skip("strace is not installed: apt-get install strace")
        if os.geteuid():
            pytest.skip("strace looks into programs that forbid it only for root")
        folder.mkdir()
        self._folder, self._count = folder, 0
        tried = subprocess.run([*self.command(), sys.executable, "-c", ""], capture_output=True, check=False)
        self.clear()
        if tried.returncode:
            pytest.skip("this system forbids strace")

    def command(self) -> list[str]:
        """What stands before a program's own command."""
        self._count += 1
        options = ["-D", "-f", "-ff", "--seccomp-bpf", "-y", "-xx", "-s", str(LONGEST), "-e", f"trace={CALLS}"]
        return [str(STRACE), *options, "-e", "signal=none", "-o", str(self._folder / f"trace-{self._count}")]

    def clear(self) -> None:
        """Forget what was seen."""
        self._ended()
        for path in self._folder.iterdir():
            path.unlink()

    def seen(self) -> Seen:
        """All that was seen, once every traced program has ended."""
        self._ended()
        lines: defaultdict[str, list[bytes]] = defaultdict(list)
        found = Seen({}, set(), set())
        for path in sorted(self._folder.iterdir()):
            said = path.read_bytes()
            assert not UNSEEN.search(said), "a call whose bytes strace does not show"
            for line in said.split(b"\n"):
                _take(line, lines, found)
        found.written = {name: b"".join(pieces) for name, pieces in lines.items()}
        return found

    def _ended(self) -> None:
        """Wait until each strace has written what it saw, and is gone."""
        end = time.monotonic() + PATIENCE
        while any(
            str(self._folder).encode() in arguments and b"--seccomp-bpf" in arguments for arguments in _running()
        ):
            assert time.monotonic() < end, "a traced program does not end"
            time.sleep(0.02)


def _running() -> Iterator[bytes]:
    """The command lines of all programs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def _take(line: bytes, lines: defaultdict[str, list[bytes]], found: Seen) -> None:
    call = CALL.match(line)
    if call is None:
        return
    name, rest = call.groups()
    descriptor = DESCRIPTOR.match(rest)
    if name == b"mmap":
        found.mapped |= {os.fsdecode(_plain(path)) for path in MAPPED.findall(rest)}
    elif descriptor and b"write" in name:
        path = _plain(descriptor[1])
        if not path.startswith(ELSEWHERE):
            for data, cut in BYTES.findall(rest):
                assert not cut, f"strace cut off what was written to {path!r}"
                lines[os.fsdecode(path)].append(_plain(data))
    elif b"open" in name or name == b"creat":
        for _, opened in OPENED.findall(rest):
            if not _plain(opened).startswith(ELSEWHERE):
                found.names.add(os.fsdecode(_plain(opened)))
    else:
        placed = PLACED.findall(rest) or [(b"", data) for data, _ in BYTES.findall(rest)]
        names = {os.path.join(*map(os.fsdecode, map(_plain, each))) for each in placed}  # noqa: PTH118
        found.names |= {name for name in names if not name.startswith("/proc/self/fd/")}  # an open file gets a name
