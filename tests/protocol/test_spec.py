"""SPEC.md and the code: it names every field and label, and has every section that the code refers to."""

import dataclasses
import re
from pathlib import Path
from types import ModuleType

import pytest

import whistle.protocol
from whistle.protocol import canonical
from whistle.protocol.case import attachment, message
from whistle.protocol.code import retrieval
from whistle.protocol.transfer import courier_auth, listing, statement
from whistle.protocol.trust import enrolment, manifest

PROTOCOL = Path(whistle.protocol.__file__).parent
SPEC = (PROTOCOL / "SPEC.md").read_text("utf-8")
HEADINGS = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", SPEC, re.MULTILINE))
RECORDS = [
    kind
    for module in (message, attachment, manifest, enrolment, listing)
    for kind in vars(module).values()
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__module__ == module.__name__
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_is_specified(record: type) -> None:
    """The JSON name of each field appears in the text as code."""
    told = {each.metadata["name"] or each.name for each in dataclasses.fields(record) if "form" in each.metadata}
    missing = {name for name in told if not re.search(rf"`[^`]*\b{name}\b[^`]*`", SPEC)}
    assert not missing


@pytest.mark.parametrize("module", [message, enrolment, retrieval, statement, courier_auth], ids=lambda it: it.__name__)
def test_every_label_is_specified(module: ModuleType) -> None:
    """The bytes of each label appear in the text."""
    labels = [value for name, value in vars(module).items() if name.startswith(("LABEL", "SALT"))]
    assert labels
    assert all(label.decode().strip() in SPEC for label in labels)


def test_every_kind_is_specified() -> None:
    """Each kind of message and of file for root is named."""
    assert all(f"`{kind}`" in SPEC for kind in (*message.KINDS, *enrolment.KINDS))


def test_what_the_code_refers_to_is_there() -> None:
    """`SPEC 7.3` and the like, in the protocol's comments and those of its tests, are sections."""
    texts = [
        path.read_text("utf-8")
        for path in (*PROTOCOL.rglob("*.py"), Path(__file__).parent.parent / "vectors/README.md")
    ]
    referred = {number for text in texts for number in re.findall(r"SPEC (\d+(?:\.\d+)?)", text)}
    assert referred
    assert referred <= HEADINGS


def test_sections_follow_each_other() -> None:
    """No number is left out or comes twice."""
    found = re.findall(r"^#{2,3} (\d+)(?:\.(\d+))?\.? ", SPEC, re.MULTILINE)
    chapter, section = -1, 0
    for major, minor in found:
        expected = (chapter, section + 1) if minor else (chapter + 1, 0)
        assert (int(major), int(minor or 0)) == expected
        chapter, section = expected


def test_its_numbers_are_the_codes() -> None:
    """The text has the sizes that the code has."""
    for number in (
        f"{canonical.MAX_OUTSIDE:,}",
        f"{message.MAX_TEXT:,}",
        f"{message.MAX_REST:,}",
        f"{attachment.MAX_BLOCKS:,}",
        f"{attachment.BLOCK:,}",
        f"{manifest.MAX_FILE:,}",
        f"{enrolment.MAX_FILE:,}",
        f"{listing.MAX_LISTING:,}",
        f"{listing.MAX_MANIFEST:,}",
        f"{listing.MAX_MEMBERS:,}",
        f"{message.RECIPIENT:,}",
        f"{message.MAX_ORIGINALS:,}",
    ):
        assert number in SPEC, number
