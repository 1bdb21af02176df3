"""JSON with exactly one encoding for each value, so that a signature over bytes is a signature over meaning.

Sorted ASCII keys, no spaces, raw UTF-8, integers below 2**53, no floats, depth at most 8 (SPEC 4.1).
Input that would not be written back as the same bytes is refused.
"""

import json
import re
from typing import Any

from whistle.protocol.errors import Malformed

MAX_DEPTH = 8
MAX_INTEGER = 2**53 - 1
MAX_OUTSIDE = 2_097_152  # bytes outside texts; empty lists take seventy times their length in memory
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # an unterminated one runs to the end: linear time


def _refuse(number: str) -> object:
    raise ValueError("a number that is not an integer")


# made once, since there are many small records
_READER = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse)
_WRITER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def dumps(value: object) -> bytes:
    """The canonical bytes of a value made of dict, list, tuple, str, int, bool and None."""
    _check(value, MAX_DEPTH)
    try:
        return _WRITER.encode(value).encode()
    except UnicodeEncodeError as error:
        raise Malformed("a text holds a lone surrogate") from error


def loads(data: bytes) -> Any:
    """The value of canonical bytes; anything else raises Malformed."""
    if len(data) > MAX_OUTSIDE and _outside(data) > MAX_OUTSIDE:
        raise Malformed("too much JSON outside its texts")
    try:
        value = _READER.decode(data.decode())
        again = dumps(value)
    except (ValueError, RecursionError) as error:
        raise Malformed("not canonical JSON") from error
    if again != data:
        raise Malformed("not canonical JSON")
    return value


def _outside(data: bytes) -> int:
    """How many bytes are outside texts, quotation marks included; stops counting above the limit."""
    outside = end = 0
    for text in _TEXT.finditer(data):
        outside += text.start() - end + 2
        end = text.end()
        if outside > MAX_OUTSIDE:
            break
    return outside + len(data) - end


def _check(value: object, depth: int) -> None:
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise Malformed("an integer is out of range")
        return
    if depth == 0:
        raise Malformed("nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise Malformed("a key is not ASCII text")
            if not isinstance(item, str):
                _check(item, depth - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            if not isinstance(item, str):
                _check(item, depth - 1)
    else:
        raise Malformed("a value cannot be written as canonical JSON")
