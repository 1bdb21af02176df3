"""Secrets that were planted, in every form in which they could be written down, and the files to search for them."""

import base64
import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from whistle.protocol.code import retrieval, words


def forms_of(secret: bytes) -> Iterator[bytes]:
    """A secret as it could be written down: as it is, in hexadecimal, in base64 wherever it begins, in UTF-16."""
    yield secret
    yield secret.hex().encode()
    for before in range(3):
        yield base64.b64encode(bytes(before) + secret)[4 : -4 - len(secret) % 3]
    with contextlib.suppress(UnicodeDecodeError):
        yield secret.decode("ascii").encode("utf-16-le")


def secrets_of(typed: str) -> list[bytes]:
    """Twelve words in every language, and every key and token that follows from them."""
    code = words.decode(typed)
    who = retrieval.derive(code)
    found = [typed.encode(), *(" ".join(words.encode(code, each)).encode() for each in words.LANGUAGES)]
    found += [code, bytes(who.signing), who.sent, who.replies, who.report_token]
    return [*found, who.mailbox.text.encode(), *retrieval.place_ids(who.replies, 0)[:2]]


def files_of(pids: Iterable[int], *folders: Path) -> Iterator[Path]:
    """Every file in the folders, and every open one of the processes, be it unlinked or anywhere else."""
    for folder in folders:
        for place, _, names in os.walk(folder):  # which passes over a folder that is made anew meanwhile
            yield from (Path(place, name) for name in names)
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if link.is_file():
                    yield link


def found_in(wanted: Iterable[bytes], files: Iterable[Path]) -> list[str]:
    """The files that hold any of the secrets in any form."""
    patterns = [form for secret in wanted for form in forms_of(secret)]
    holding = []
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # a block that has just got its name
            content = path.read_bytes()
            if any(pattern in content for pattern in patterns):
                holding.append(str(path))
    return holding
