"""What channels ask besides the text where an organisation says nothing else, and the words of it, in every language.

Which channel asks what is data in `default_questions.toml`, and the words are a catalogue of their own.
"""

import functools
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from whistle.translations import catalogues

QUESTIONS = "questions"  # the folder of the words
FILE = "default_questions.toml"
GENERAL, ADVICE = "general", "advice"  # the sets of channels that have none, and of those who ask for advice
OTHER = "other"  # a choice whose word all questions share


@dataclass(frozen=True)
class DefaultQuestion:
    """A question without its words; `after`: an earlier question, and the answers after which this one is shown."""

    name: str
    type: str
    choices: tuple[str, ...] = ()
    after: tuple[str, tuple[str, ...]] | None = None


@functools.cache
def all_of_them() -> Mapping[str, DefaultQuestion]:
    """The questions by their names."""
    return {name: _question(name, fields) for name, fields in _table()["questions"].items()}


def sets() -> Mapping[str, Sequence[str]]:
    """The names of questions by the channel's id, or GENERAL or ADVICE."""
    found: Mapping[str, Sequence[str]] = _table()["sets"]
    return found


def in_languages(name: str, part: str, languages: Collection[str]) -> dict[str, str]:
    """The `label` or `hint` of a question or the label of a choice, by language; empty if there is none."""
    shipped = [code for code in languages if code in catalogues.files(QUESTIONS)]
    texts = {code: said(code, name, part) for code in shipped}
    return {code: text for code, text in texts.items() if text}


def said(language: str, name: str, part: str) -> str:
    """A text in one of Whistle's languages, else in English; empty if there is none."""
    code = language if language in catalogues.files(QUESTIONS) else catalogues.ENGLISH
    texts = catalogues.load(code, QUESTIONS).messages
    text = texts.get(f"{name}.{part}") or (texts[OTHER] if part == OTHER else "")
    return text if isinstance(text, str) else ""


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(FILE).read_text("utf-8"))


def _question(name: str, fields: Mapping[str, Any]) -> DefaultQuestion:
    on, *among = fields.get("if", [""])
    return DefaultQuestion(name, fields["type"], tuple(fields.get("choices", ())), (on, tuple(among)) if on else None)
