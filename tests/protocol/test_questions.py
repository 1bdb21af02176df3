"""The published questions of channels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import questions
from whistle.protocol.reporter.questions import Question

WHEN = Question("when", {"en": "When?", "pt-BR": "Quando?"}, {"en": "A rough date will do."})
GOOD = {"harassment": (WHEN, Question("where", {"en": "Where?"}, {})), "fraud": ()}
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
        b" " * (questions.MAX_FILE + 1),
    ],
)
def test_other_files_are_refused(wrong: bytes) -> None:
    """Any other file is malformed, and none of it is used."""
    with pytest.raises(Malformed):
        questions.parse(wrong)


@given(st.binary(max_size=400))
def test_nothing_else_comes_out(data: bytes) -> None:
    """Any other bytes are refused as malformed, and raise nothing else."""
    with pytest.raises(Malformed):
        questions.parse(b"{" + data)
