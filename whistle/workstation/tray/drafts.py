"""Drafts: what was typed into a form of a case and is kept, sealed in the vault, until it is sent or discarded."""

from collections.abc import Mapping

from sqlalchemy import select

from whistle.workstation.vault.models import Draft
from whistle.workstation.workstation import Workstation


def keep(workstation: Workstation, case: str, form: str, fields: Mapping[str, str]) -> None:
    """Keep what a form of a case holds, in place of its earlier draft."""
    with workstation.change():
        workstation.vault.session.merge(Draft(case=case, form=form, fields=dict(fields)))


def discard(workstation: Workstation, case: str, form: str) -> None:
    """Remove a form's draft, if there is one."""
    with workstation.change():
        row = workstation.vault.session.get(Draft, (case, form))
        if row is not None:
            workstation.vault.session.delete(row)


def of(workstation: Workstation, case: str, form: str) -> Mapping[str, str]:
    """The fields of a form's draft; empty if there is none."""
    row = workstation.vault.session.get(Draft, (case, form))
    return dict(row.fields) if row is not None else {}


def texts(workstation: Workstation) -> list[tuple[str, str]]:
    """The cases and texts of all drafts."""
    rows = workstation.vault.session.execute(select(Draft.case, Draft.fields).order_by(Draft.case, Draft.form))
    return [(case, fields.get("text", "")) for case, fields in rows]
