"""Submissions: as the body of a request, and as a block of text, altered anywhere."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.make_vectors import FOLDER
from tests.making.cast import SLOTS
from whistle.protocol.case.attachment import BLOCK
from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import submission
from whistle.protocol.reporter.submission import Submission, TooLarge

TEXT = (FOLDER / "pasted_ok.txt").read_text("ascii")
FOUND = submission.dearmor(TEXT, SLOTS)
BODY = submission.encode(FOUND.token, FOUND.envelopes, [])
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_a_block_of_text_is_written_as_it_was_read() -> None:
    """Armour has one form, so that reading and writing again changes nothing."""
    assert submission.armored(FOUND) == TEXT


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_as_much_as_a_field_of_text_holds(blocks: int) -> None:
    """Two blocks of attachments fit; three do not, and that is told."""
    larger = Submission(FOUND.token, FOUND.envelopes, tuple((bytes([n]) * 16, bytes(BLOCK)) for n in range(blocks)))
    if blocks < 3:
        assert submission.dearmor(submission.armored(larger).replace("\n", "\r\n"), SLOTS) == larger
    else:
        with pytest.raises(TooLarge):
            submission.armored(larger)


@quick
@given(st.integers(0, len(TEXT) - 2), st.characters(codec="utf-8"))
def test_a_text_with_another_letter_is_the_same_or_refused(place: int, letter: str) -> None:
    """Not one letter of it can be another, save what stands between its lines or in a row of hyphens."""
    altered = TEXT[:place] + letter + TEXT[place + 1 :]
    assert submission.is_armored(altered)
    try:
        assert submission.dearmor(altered, SLOTS) == FOUND
    except Malformed:
        assert altered != TEXT
    else:
        assert altered == TEXT or TEXT[place] in "\n -"


@quick
@given(st.text(max_size=300))
def test_any_text_is_refused_or_no_submission(text: str) -> None:
    """Whatever somebody types between the two lines does no harm."""
    first, last = TEXT.splitlines()[0], TEXT.splitlines()[-1]
    assert submission.is_armored(f"{first}\n{text}") and not submission.is_armored(text)
    with pytest.raises(Malformed):
        submission.dearmor(f"{first}\n{text}\n{last}", SLOTS)


@quick
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_request_with_another_byte_is_read_or_refused(place: int, change: int) -> None:
    """A changed byte gives other tokens or envelopes, or Malformed; never the same ones and never another error."""
    altered = bytearray(BODY)
    altered[place] ^= change
    try:
        found = submission.parse(bytes(altered), SLOTS)
    except Malformed:
        return
    assert (found.token, found.envelopes) != (FOUND.token, FOUND.envelopes)


@pytest.mark.parametrize("body", [b"", b"\n", BODY[:-1], BODY + b"x", BODY * 2], ids=range(5))
def test_a_request_of_another_size_is_refused(body: bytes) -> None:
    """Nothing is cut off and nothing is passed over."""
    with pytest.raises(Malformed):
        submission.parse(body, SLOTS)
