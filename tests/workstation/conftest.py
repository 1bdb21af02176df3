"""An organisation whose reviewers have workstations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workstation.carrying import World
from whistle.translations import catalogues
from whistle.translations.translation import Message, Translation
from whistle.workstation import language


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Reviewers, a stick, a server in memory."""
    made = World(tmp_path)
    yield made
    made.close()


def foreign(message: Message) -> Message:
    """A text that tells where it begins and ends."""
    return f"«{message}»" if isinstance(message, str) else {form: f"«{each}»" for form, each in message.items()}


@pytest.fixture
def arabic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An Arabic that is whole, and in which every text of the catalogue can be told from any other."""
    english = catalogues.load("en", catalogues.WORKSTATION)
    known = {"en": english, "ar": Translation("ar", {key: foreign(text) for key, text in english.messages.items()})}
    monkeypatch.setattr(language, "translation", known.__getitem__)
    monkeypatch.setattr(language, "is_whole", known.__contains__)
    yield
