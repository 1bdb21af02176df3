"""Exporting a case from the vault: a plain text and its files, readable without Whistle."""

import secrets
import shutil
from pathlib import Path

from whistle.protocol.case.message import Reply
from whistle.workstation import files
from whistle.workstation.cases import clear_files, overview, saved_files, transcript
from whistle.workstation.cases.entries import Entry
from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import CannotSave, Refused
from whistle.workstation.language import t
from whistle.workstation.workstation import Workstation

NAME = "record.txt"


def export(workstation: Workstation, case: Case, to: Path) -> tuple[Path, list[str]]:
    """Write the case into a new folder in `to`, whole or not at all; returns it, and why files are missing from it.

    Raises Refused if there is such a folder, VaultReadOnly.
    """
    folder = to / f"case-{case.reference}"
    if folder.exists():
        raise Refused(t("case_export.exists"), t("case_export.exists_hint"))
    beside = files.private_folder(to / f".{secrets.token_hex(8)}.part")
    try:
        failed = _fill(workstation, case, beside)
        beside.rename(folder)
    except OSError as exc:
        raise files.cannot_write(to, exc) from exc
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder, failed


def _fill(workstation: Workstation, case: Case, folder: Path) -> list[str]:
    names: dict[tuple[str, int], str] = {}
    failed = []
    for entry in case.entries:
        for number, attached in enumerate(entry.attachments):
            try:
                saved_as = saved_files.save(attached, workstation.blocks, folder / clear_files.EXPORTED).name
            except CannotSave as exc:
                elsewhere = _is_elsewhere(entry)
                away, why = t("case_export.away"), t("case_export.not_saved", why=exc.message)
                saved_as = away if elsewhere else why
                failed += [] if elsewhere else [exc.message]
            names[entry.signed.hash, number] = saved_as

    def saved(entry: Entry, number: int) -> str:
        return names[entry.signed.hash, number]

    text = "\n".join(transcript.lines(workstation, case, saved)) + "\n"
    files.write(folder / NAME, text.encode("utf-8", "replace"))
    return failed


def save_all(workstation: Workstation, case: Case, to: Path) -> tuple[list[Path], list[str]]:
    """Save every attachment of the case into `to`; returns the files, and why others could not be saved."""
    saved, failed = [], []
    for entry, attached in overview.files(case):
        try:
            saved.append(saved_files.save(attached, workstation.blocks, to))
        except CannotSave as exc:
            failed += [] if _is_elsewhere(entry) else [exc.message]
    return saved, failed


def _is_elsewhere(entry: Entry) -> bool:
    """Whether its files went to the reporter alone: a note by the same colleague brings copies."""
    return isinstance(entry.message, Reply)
