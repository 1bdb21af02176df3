"""What each channel asks beside the text, as the server publishes it (SPEC 9.3).

No root signs it: it tells a program what to ask, and never to whom an answer goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from whistle.protocol import canonical, schema
from whistle.protocol.errors import Malformed

KIND, VERSION = "questions", 1
WAY = "way"  # the answer under which a request for advice says that it is one; no question has this id
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
    """The file."""
    channels = {channel: [schema.to_json(each) for each in asked] for channel, asked in questions.items()}
    return canonical.dumps({"v": VERSION, "kind": KIND, "channels": channels})


def parse(data: bytes) -> Questions:
    """What each channel asks; Malformed for any other file, or where a channel asks something twice."""
    if len(data) > MAX_FILE:
        raise Malformed("the questions are too long")
    kind, value = schema.parse_object(data, VERSION)
    if kind != KIND or set(value) != {"channels"}:
        raise Malformed("not a file of questions")
    found: Questions = _CHANNELS(value["channels"])
    if any(len({each.id for each in asked}) < len(asked) for asked in found.values()):
        raise Malformed("a channel asks something twice")
    if any(each.id == WAY for asked in found.values() for each in asked):
        raise Malformed("a question has the id of a request for advice")
    return found
