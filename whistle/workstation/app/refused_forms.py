"""What came with forms that were refused.

It stays in the memory of this process until the same form is accepted: the page that shows it again is one that was
asked for by its address, of which a browser writes down nothing that was typed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Form:
    """A form that was refused: why it was refused, what to do, and its fields."""

    error: str
    hint: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Typed:
    """The refused forms of one case, by their names."""

    forms: dict[str, Form] = field(default_factory=dict)

    def get(self, form: str, name: str, otherwise: str = "") -> str:
        """What was typed into a field of this form, or what stands there at first."""
        return self.forms[form].fields.get(name, "") if form in self.forms else otherwise
