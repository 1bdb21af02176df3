"""Files that have left the vault in clear: under endings that run nothing, and listed until they are removed."""

import contextlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from whistle.durable import new_file, sync_folder
from whistle.protocol.file_names import numbered, safe_name
from whistle.workstation import files
from whistle.workstation.errors import CannotSave
from whistle.workstation.language import t

# Endings that systems open with a viewer or player.  Any other may be a program, and new kinds come every year.
QUIET = frozenset({
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", "avif", "heic", "heif", "bmp", "tif", "tiff", "dng",
    "mp3", "m4a", "m4b", "aac", "ogg", "oga", "opus", "wav", "flac", "amr", "mp4", "m4v", "mov", "webm", "mkv",
    "mka", "3gp", "ogv", "avi", "txt", "text", "csv", "log", "pdf", "docx", "xlsx", "pptx", "odt", "ods", "odp",
    "zip", "unsafe",
})  # fmt: skip
UNSAFE = ".unsafe"
FOLDER = re.compile(r"[0-9A-Za-z-]{1,40}")  # of a case, named by its reference
EXPORTED = "files"  # in the folder of an export
MOST_LISTED = 1000


@dataclass(frozen=True)
class ClearFile:
    """A file that lies in clear in a case's folder."""

    path: Path
    size: int  # bytes


def own(name: str) -> str:
    """The name under which a file is saved if its ending is left as it is."""
    return safe_name(name)


def harmless(name: str) -> str:
    """The same, with one more ending if a double click might run it."""
    safe = safe_name(name)
    _, dot, ending = safe.rpartition(".")
    quiet = not dot or unicodedata.normalize("NFKC", ending).lower() in QUIET
    return safe if quiet else safe_name(safe, len(UNSAFE)) + UNSAFE


def save_clean(name: str, picture: bytes, page: int, folder: Path) -> Path:
    """Save one picture of a clean copy of the file `name`.  Raises CannotSave."""
    stem = safe_name(name, 40).rpartition(".")[0] or safe_name(name, 40)
    copy = f"{stem}-clean-{page}.png" if page > 1 else f"{stem}-clean.png"
    files.private_folder(folder)
    try:
        with new_file(folder) as (file, name_it):
            file.write(picture)
            return name_it(lambda count: numbered(copy, count))
    except OSError as exc:
        raise CannotSave(t("clear_files.no_room", reason=exc.strerror), t("clear_files.no_room_hint")) from exc


def listed(folder: Path) -> list[ClearFile]:
    """The files in the folders of cases and exports, at most MOST_LISTED; links are neither listed nor followed."""
    found: list[ClearFile] = []
    for case in sorted(_inside(folder)):
        if FOLDER.fullmatch(case.name) and _is_folder(case):
            below = [inner for inner in (case / EXPORTED,) if _is_folder(inner)]
            paths = [path for each in (case, *below) for path in sorted(_inside(each)) if _is_file(path)]
            found += [ClearFile(path, path.stat().st_size) for path in paths[: MOST_LISTED - len(found)]]
    return found


def remove(paths: Iterable[Path]) -> int:
    """Remove files, and the folders that are empty then; how many could be removed."""
    gone = 0
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
            gone += 1
            sync_folder(path.parent)
            path.parent.rmdir()
            if path.parent.name == EXPORTED:
                path.parent.parent.rmdir()
    return gone


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
