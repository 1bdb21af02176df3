"""What was typed into forms that were refused.

It stays in memory until the form is accepted.  The page that shows it again is an answer to a GET request, so the
browser's history stores nothing that was typed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from werkzeug.datastructures import MultiDict


@dataclass(frozen=True)
class Form:
    """A refused form: why, what to do, and its fields."""

    error: str
    hint: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """A form of a case that was accepted, and waits to be confirmed: its fields."""

    case: str
    form: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Typed:
    """The refused forms of one case, by name."""

    forms: dict[str, Form] = field(default_factory=dict)

    def get(self, form: str, name: str, otherwise: str = "") -> str:
        """What was typed into a field of this form, or the field's initial value."""
        return self.forms[form].fields.get(name, "") if form in self.forms else otherwise


def fields(form: MultiDict[str, str]) -> dict[str, str]:
    """The fields of a form; of one that was sent several times, all values with spaces between them."""
    return {name: " ".join(values) for name, values in form.lists()}
