"""The published questions of channels."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import questions
from whistle.protocol.reporter.questions import Choice, Condition, Question

WHEN = Question("when", {"en": "When?", "pt-BR": "Quando?"}, {"en": "A rough date will do."})
SEEN = Question("seen", {"en": "Was it seen?"}, {}, "yes-no")
SITE = Question("site", {"en": "Where?"}, {}, "choice", (Choice("a", {"en": "A"}), Choice("b", {"en": "B"})))


def after(on: str, *among: str, id: str = "later", way: str = "") -> Question:
    """A question that is asked after answers to another."""
    return Question(id, {"en": "And?"}, {}, condition=Condition(on, among), way=way)


GOOD = {
    "harassment": (WHEN, Question("where", {"en": "Where?"}, {}), SEEN, after("seen", "yes", way="report")),
    "fraud": (),
}
CHAIN = (
    SEEN,
    *(replace(SEEN, id=f"s{n}", condition=Condition(f"s{n - 1}" if n else "seen", ("yes",))) for n in range(4)),
)
FIVE = replace(SITE, choices=tuple(Choice(id, {"en": id}) for id in "abcde"))
TWICE = b'{"channels":{"a":[%s,%s]},"kind":"questions","v":1}' % ((b'{"hint":{},"id":"when","label":{"en":"x"}}',) * 2)


def test_what_is_written_is_read() -> None:
    """Every channel has its questions, in order."""
    assert questions.parse(questions.encode(GOOD)) == GOOD


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        questions.encode(GOOD) + b"\n",
        questions.encode(GOOD).replace(b"questions", b"manifest"),
        questions.encode(GOOD).replace(b'"v":1', b'"v":2'),
        b'{"channels":{},"kind":"questions","more":1,"v":1}',
        b'{"channels":{"a":{}},"kind":"questions","v":1}',
        b'{"channels":{"a":[{"id":"when"}]},"kind":"questions","v":1}',
        questions.encode({"a": (Question("when", {"en": "x" * 2001}, {}),)}),
        TWICE,
        questions.encode({"a": (Question("way", {"en": "How?"}, {}),)}),
        questions.encode({"a": (Question("asked", {"en": "How?"}, {}),)}),
        questions.encode({"a": (replace(SITE, type="text"),)}),
        questions.encode({"a": (replace(SITE, choices=()),)}),
        questions.encode({"a": (replace(SITE, choices=SITE.choices * 2),)}),
        questions.encode({"a": (replace(SITE, choices=SITE.choices[:1] * 17),)}),
        questions.encode({"a": (replace(SEEN, type="colour"),)}),
        questions.encode({"a": (after("seen", "yes"), SEEN)}),
        questions.encode({"a": (SEEN, after("seen", "maybe"))}),
        questions.encode({"a": (SEEN, after("seen"))}),
        questions.encode({"a": (WHEN, after("when", "yes"))}),
        questions.encode({"a": (replace(SEEN, way="advice"), after("seen", "yes"))}),
        questions.encode({"a": (replace(SEEN, way="nobody"),)}),
        questions.encode({"a": CHAIN}),
        questions.encode({"a": (FIVE, *(after("site", each, id=f"after-{each}") for each in "abcde"))}),
        b" " * (questions.MAX_FILE + 1),
    ],
)
def test_other_files_are_refused(wrong: bytes) -> None:
    """Any other file is malformed, and none of it is used."""
    with pytest.raises(Malformed):
        questions.parse(wrong)


def test_bounds_can_be_reached() -> None:
    """Three conditions one after the other, and four on one question, are asked."""
    four = (FIVE, *(after("site", each, id=f"after-{each}") for each in "abcd"))
    asked = {"a": CHAIN[:-1], "b": four}
    assert questions.parse(questions.encode(asked)) == asked


@given(st.binary(max_size=400))
def test_nothing_else_comes_out(data: bytes) -> None:
    """Any other bytes are refused as malformed, and raise nothing else."""
    with pytest.raises(Malformed):
        questions.parse(b"{" + data)
