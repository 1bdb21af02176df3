"""The questions that each channel asks besides the text, as the server publishes them (SPEC 9.3).

No root signs them: they tell a program what to ask, and never who gets the answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from whistle.protocol import canonical, schema
from whistle.protocol.case.message import MAX_ANSWERS
from whistle.protocol.errors import Malformed

KIND, VERSION = "questions", 1
WAY = "way"  # under this id a request for advice answers `advice`, and a follow-up that makes it a report `report`
ADVICE, REPORT = "advice", "report"
URGENT = "urgent"  # under this id a report of something that is about to happen answers `yes`
ASKED = "asked"  # under this id stand the words of questions that are not Whistle's own
EARLIER = "earlier"  # under this id a message names another case by its reference, as it was typed
CHECK_IN = "check-in"  # under this id a follow-up says in one choice, of HOW, whether anything has happened since
NOTHING, UNSURE, HAPPENED = HOW = ("nothing", "unsure", "happened")
BESIDE = (WAY, URGENT, ASKED, EARLIER)  # alone these make no message
RESERVED = (*BESIDE, CHECK_IN)  # ids that no question may have
OURS = "q-"  # how the ids of Whistle's own questions begin: their words are known wherever it is installed
CHOOSING = {"choice": 1, "several": 1, "yes-no": 0}  # types with answers to choose from, and whether they list these
TYPES = ("text", "long", *CHOOSING, "date", "place", "people", "sum")
YES, NO = YES_NO = ("yes", "no")
MAX_FILE = 1_048_576  # bytes
MAX_TEXT = 2000  # characters
MAX_QUESTIONS = MAX_ANSWERS - len(BESIDE)  # of a channel: a report that answers all of them may hold the others too
MAX_CHOICES = 16  # of a question
MAX_DEPTH = 3  # conditions that lead to a question, one after the other
MAX_WAYS_ON = 4  # different conditions on the same question
MAX_LANGUAGE = 35  # characters
_TEXTS = schema.mapping(schema.text(MAX_LANGUAGE), schema.text(MAX_TEXT), 64)
_IDS = schema.list_of(schema.identifier, MAX_CHOICES, unique=True)


class Wrong(Malformed):
    """A question cannot be asked as it is; `number` is its place in the list, from 0, and `field` what is wrong."""

    def __init__(self, number: int, field: str, why: str) -> None:
        super().__init__(f"question {number + 1} of a channel: {field} {why}")
        self.number, self.field, self.why = number, field, why


@dataclass(frozen=True)
class Choice:
    """One answer to choose; `id` is what travels."""

    id: str = schema.field(schema.identifier)
    label: dict[str, str] = schema.field(_TEXTS)


@dataclass(frozen=True)
class Condition:
    """A question is shown while the answer to an earlier one, `question`, holds one of these."""

    question: str = schema.field(schema.identifier)
    among: tuple[str, ...] = schema.field(_IDS, name="is")


@dataclass(frozen=True)
class Question:
    """An optional question: `label` and `hint` by language; its answer travels under `id`.

    `way`: it is only asked of those who report, or of those who ask for advice; empty for both.
    """

    id: str = schema.field(schema.identifier)
    label: dict[str, str] = schema.field(_TEXTS)
    hint: dict[str, str] = schema.field(_TEXTS)
    type: str = schema.field(schema.one_of(*TYPES), default="long")
    choices: tuple[Choice, ...] = schema.field(schema.list_of(schema.record(Choice), MAX_CHOICES), default=())
    condition: Condition | None = schema.field(schema.record(Condition), name="if", default=None)
    way: str = schema.field(schema.one_of(REPORT, ADVICE), name="for", default="")

    @property
    def options(self) -> tuple[str, ...]:
        """The answers to choose from; none for a type that has none."""
        return YES_NO if self.type == "yes-no" else tuple(each.id for each in self.choices)


def in_language(texts: Mapping[str, str], language: str) -> str:
    """The text in a language, or else in English, or else in the first one available, or else ""."""
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), "")


Questions = Mapping[str, tuple[Question, ...]]  # by the channel's id
_CHANNELS = schema.mapping(schema.identifier, schema.list_of(schema.record(Question), MAX_QUESTIONS), 32)


def encode(questions: Questions) -> bytes:
    """The bytes of questions.json."""
    channels = {channel: [schema.to_json(each) for each in asked] for channel, asked in questions.items()}
    return canonical.dumps({"v": VERSION, "kind": KIND, "channels": channels})


def parse(data: bytes) -> Questions:
    """The questions of each channel; Malformed for any other file, or if a channel has one that cannot be asked."""
    if len(data) > MAX_FILE:
        raise Malformed("the questions are too long")
    kind, value = schema.parse_object(data, VERSION)
    if kind != KIND or set(value) != {"channels"}:
        raise Malformed("not a file of questions")
    questions: Questions = _CHANNELS(value["channels"])
    for asked in questions.values():
        check(asked)
    return questions


def check(asked: Sequence[Question]) -> None:
    """Raise Wrong for the first question of a channel that cannot be asked."""
    before: dict[str, Question] = {}
    depths: dict[str, int] = {}
    for number, question in enumerate(asked):
        for field, why in _faults(question, before):
            raise Wrong(number, field, why)
        condition = question.condition
        depths[question.id] = depths[condition.question] + 1 if condition else 0
        if depths[question.id] > MAX_DEPTH:
            raise Wrong(number, "if", f"is the end of more than {MAX_DEPTH} conditions one after the other")
        before[question.id] = question
        if condition and len(ways_on(asked[: number + 1], condition.question)) > MAX_WAYS_ON:
            raise Wrong(number, "if", f"is more than the {MAX_WAYS_ON}th condition on {condition.question}")


def ways_on(asked: Sequence[Question], id: str) -> list[tuple[str, ...]]:
    """The different conditions on a question, each as the answers that it looks for."""
    conditions = (each.condition for each in asked)
    return list(dict.fromkeys(each.among for each in conditions if each and each.question == id))


def _faults(question: Question, before: Mapping[str, Question]) -> Iterator[tuple[str, str]]:
    """What is wrong with a question after these: its field, and what of it."""
    if question.id in RESERVED:
        yield "id", f"must not be {question.id}, which means something else"
    if question.id in before:
        yield "id", f"must be another than {question.id}, which a question before it has"
    if bool(question.choices) != bool(CHOOSING.get(question.type)):
        yield "choices", "must list the answers of a choice or several, and of no other type"
    if len({each.id for each in question.choices}) < len(question.choices):
        yield "choices", "have the same id twice"
    condition = question.condition
    if condition is None:
        return
    on = before.get(condition.question)
    if on is None:
        yield "if", "must look at a question that stands before it"
    elif on.way not in ("", question.way):
        yield "if", f"must look at a question that is asked of the same people: {on.id} is for {on.way}"
    elif not condition.among or set(condition.among) - set(on.options):
        yield "if", f"must look for answers to choose: {', '.join(on.options) or f'{on.id} has none'}"
