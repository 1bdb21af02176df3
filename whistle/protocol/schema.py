"""Records in canonical JSON: frozen dataclasses whose fields name the form that their value must have.

``parse`` refuses unknown fields, missing fields and values of the wrong form.  A field with a default is absent exactly
when its value is that default or empty, so that each record has only one encoding.
"""

import base64
import binascii
import dataclasses
import datetime
import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

from whistle.protocol import canonical
from whistle.protocol.errors import Malformed

Form = Callable[[Any], Any]
T = TypeVar("T")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_HEX = re.compile(r"[0-9a-f]*")
_DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}")


def field(form: Form, name: str = "", **options: Any) -> Any:
    """A dataclass field of a given form; ``name`` is its JSON name if that is a Python keyword."""
    return dataclasses.field(metadata={"form": form, "name": name}, **options)


def parse(record: type[T], value: object) -> T:
    """A record of the given dataclass from parsed JSON."""
    if not isinstance(value, dict):
        raise Malformed(f"{record.__name__}: not an object")
    values = {}
    for name, attribute, form, default in _fields(record):  # type: ignore[arg-type]
        if name in value:
            values[attribute] = item = form(value[name])
            if default is not dataclasses.MISSING and item in (default, "", (), {}):
                raise Malformed(f"{record.__name__}: {name} must be left out")
        elif default is dataclasses.MISSING:
            raise Malformed(f"{record.__name__}: {name} is missing")
    if len(values) != len(value):
        raise Malformed(f"{record.__name__}: an unknown field")
    return record(**values)


@functools.cache
def _fields(record: type) -> tuple[tuple[str, str, Form, Any], ...]:
    """The JSON name, the attribute's name, the form and the default of each field."""
    return tuple(
        (field.metadata["name"] or field.name, field.name, field.metadata["form"], _default(field))
        for field in dataclasses.fields(record)
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def parse_object(data: bytes, version: int = 1) -> tuple[str, dict[str, Any]]:
    """The kind of a canonical object of that version, and its other fields; Malformed for anything else."""
    value = canonical.loads(data)
    if not isinstance(value, dict) or type(value.get("v")) is not int or value.pop("v") != version:
        raise Malformed(f"not an object of version {version}")
    kind = value.pop("kind", None)
    if not isinstance(kind, str):
        raise Malformed("an object without a kind")
    return kind, value


def to_json(value: Any) -> Any:
    """The JSON value of a record, a tuple, a day, or a value that is JSON already."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = [(name, getattr(value, attribute), default) for name, attribute, _, default in _fields(type(value))]
        return {
            name: to_json(item)
            for name, item, default in items
            if default is dataclasses.MISSING or item not in (default, "", (), {})
        }
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, datetime.date) else value


def text(limit: int) -> Form:
    """Text of at most ``limit`` characters."""
    return lambda value: _require(isinstance(value, str) and len(value) <= limit, value, "text")


def identifier(value: Any) -> Any:
    """An id chosen by people: 1 to 32 lower-case letters, digits and hyphens, the first not a hyphen."""
    return _require(isinstance(value, str) and _NAME.fullmatch(value), value, "id")


def hexadecimal(size: int) -> Form:
    """Lower-case hexadecimal of ``size`` bytes."""
    return lambda value: _require(
        isinstance(value, str) and len(value) == 2 * size and _HEX.fullmatch(value), value, "hexadecimal"
    )


def base64_of(size: int) -> Form:
    """Canonical padded base64 of ``size`` bytes, kept as text; ``unbase64`` decodes it."""
    return lambda value: _require(len(unbase64(value)) == size, value, "base64")


def unbase64(value: object) -> bytes:
    """The bytes of canonical padded base64; Malformed otherwise."""
    try:
        data = base64.b64decode(value.encode("ascii"), validate=True)  # type: ignore[attr-defined]
    except (AttributeError, UnicodeEncodeError, binascii.Error) as error:
        raise Malformed("not base64") from error
    if base64.b64encode(data).decode() != value:
        raise Malformed("not canonical base64")
    return data


def integer(low: int, high: int) -> Form:
    """An integer from ``low`` to ``high``, both included."""
    return lambda value: _require(type(value) is int and low <= value <= high, value, "integer")


def boolean(value: Any) -> Any:
    """True or false."""
    return _require(isinstance(value, bool), value, "flag")


def day(value: Any) -> datetime.date:
    """An ISO day of the years 2000 to 2999, far enough from Python's limits for date arithmetic."""
    _require(isinstance(value, str) and _DAY.fullmatch(value), value, "day")
    try:
        return datetime.date.fromisoformat(value)
    except ValueError as error:
        raise Malformed("not a day") from error


def one_of(*values: object) -> Form:
    """One of the given values."""
    return lambda value: _require(any(type(value) is type(item) and value == item for item in values), value, "word")


def nullable(form: Form) -> Form:
    """That form, or null."""
    return lambda value: None if value is None else form(value)


def list_of(form: Form, limit: int, unique: bool = False) -> Form:
    """A list of at most ``limit`` values of one form, as a tuple."""

    def read(value: Any) -> tuple[Any, ...]:
        _require(isinstance(value, list) and len(value) <= limit, value, "list")
        items = tuple(form(item) for item in value)
        _require(not unique or len(set(items)) == len(items), value, "list without repetition")
        return items

    return read


def mapping(key: Form, form: Form, limit: int) -> Form:
    """An object of at most ``limit`` entries, whose names have the form ``key`` and whose values ``form``."""

    def read(value: Any) -> dict[Any, Any]:
        _require(isinstance(value, dict) and len(value) <= limit, value, "object")
        return {key(name): form(item) for name, item in value.items()}

    return read


def record(kind: type[T]) -> Callable[[Any], T]:
    """A record within a record."""
    return lambda value: parse(kind, value)


def _require(good: object, value: Any, what: str) -> Any:
    if not good:
        raise Malformed(f"not a valid {what}")
    return value
