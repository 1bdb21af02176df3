"""The questions that each channel asks besides the text, as the server publishes them (SPEC 9.3).

No root signs them: they tell a program what to ask, and never who gets the answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from whistle.protocol import canonical, schema
from whistle.protocol.errors import Malformed

KIND, VERSION = "questions", 1
WAY = "way"  # under this id a request for advice answers `advice`
URGENT = "urgent"  # under this id a report of something that is about to happen answers `yes`
RESERVED = (WAY, URGENT)  # ids that no question may have; alone they make no report
MAX_FILE = 1_048_576  # bytes
MAX_TEXT = 2000  # characters
MAX_QUESTIONS = 64  # of a channel, as many answers as a report holds
MAX_LANGUAGE = 35  # characters
_TEXTS = schema.mapping(schema.text(MAX_LANGUAGE), schema.text(MAX_TEXT), 64)


@dataclass(frozen=True)
class Question:
    """An optional question: `label` and `hint` by language; its answer travels under `id`."""

    id: str = schema.field(schema.identifier)
    label: dict[str, str] = schema.field(_TEXTS)
    hint: dict[str, str] = schema.field(_TEXTS)


Questions = Mapping[str, tuple[Question, ...]]  # by the channel's id
_CHANNELS = schema.mapping(schema.identifier, schema.list_of(schema.record(Question), MAX_QUESTIONS), 32)


def encode(questions: Questions) -> bytes:
    """The bytes of questions.json."""
    channels = {channel: [schema.to_json(each) for each in asked] for channel, asked in questions.items()}
    return canonical.dumps({"v": VERSION, "kind": KIND, "channels": channels})


def parse(data: bytes) -> Questions:
    """The questions of each channel; Malformed for any other file, or if a channel has two of the same id."""
    if len(data) > MAX_FILE:
        raise Malformed("the questions are too long")
    kind, value = schema.parse_object(data, VERSION)
    if kind != KIND or set(value) != {"channels"}:
        raise Malformed("not a file of questions")
    questions: Questions = _CHANNELS(value["channels"])
    if any(len({each.id for each in asked}) < len(asked) for asked in questions.values()):
        raise Malformed("a channel has two questions with the same id")
    if any(each.id in RESERVED for asked in questions.values() for each in asked):
        raise Malformed("a question has an id that means something else")
    return questions
