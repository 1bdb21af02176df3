"""JSON with one form for each value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whistle.protocol import canonical
from whistle.protocol.errors import Malformed

KEYS = st.text(st.characters(max_codepoint=127), max_size=5)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()


def _nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)


VALUES = st.recursive(LEAVES, _nested, max_leaves=6)


def depth(value: object) -> int:
    """How deep lists and objects are nested."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(VALUES)
def test_what_is_written_is_read(value: object) -> None:
    """Every value up to depth 8 comes back the same; deeper ones are refused."""
    if depth(value) > 8:
        with pytest.raises(Malformed):
            canonical.dumps(value)
    else:
        assert canonical.loads(canonical.dumps(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'{"b":1,"a":2}', id="keys out of order"),
        pytest.param(b'{"a":1,"a":1}', id="a key twice"),
        pytest.param(b'{"a": 1}', id="a space"),
        pytest.param(b"[1.0]", id="a float"),
        pytest.param(b"[1e2]", id="an exponent"),
        pytest.param(b"[-0]", id="minus zero"),
        pytest.param(b"[NaN]", id="not a number"),
        pytest.param(b"[9007199254740992]", id="2 to the 53rd"),
        pytest.param(b"[" + b"9" * 5000 + b"]", id="a huge integer"),
        pytest.param(b'"\\u00fc"', id="an escape that is not needed"),
        pytest.param(b'"\\ud800"', id="a lone surrogate"),
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param(b'\xef\xbb\xbf"a"', id="a byte order mark"),
        pytest.param(b"[[[[[[[[[]]]]]]]]]", id="nine deep"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="very deep"),
        pytest.param('{"ü":1}'.encode(), id="a key that is not ASCII"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"1 ", id="trailing space"),
    ],
)
def test_other_forms_are_refused(data: bytes) -> None:
    """Whatever is not the one form is Malformed."""
    with pytest.raises(Malformed):
        canonical.loads(data)
