"""Strict reading of TOML tables: each name is read with its type, and names that were not read are errors."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from whistle.server.errors import ConfigError

Texts = dict[str, str]  # by language

HEADER = re.compile(r"\s*(\[\[?)([^\]#]+)\]")
KEY = re.compile(r"\s*([A-Za-z0-9_.\"'\s-]+?)\s*=")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Reader:
    """One table; `prefix` is its path in messages.  Methods raise ConfigError for values of another type."""

    def __init__(self, table: dict[str, Any], prefix: str = "") -> None:
        self._table = table
        self._prefix = prefix
        self._read: set[str] = set()
        self._inner: list[Reader] = []

    def text(self, name: str, default: str | None = None) -> str:
        """A string; required if there is no default."""
        return str(self._value(name, default, str, "a text in quotes"))

    def integer(self, name: str, default: int | None = None, *, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = int(self._value(name, default, int, "a whole number"))
        return value if low <= value <= high else self.refuse(name, f"must be from {low} to {high}")

    def number(self, name: str, default: float | None = None, *, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        value = float(self._value(name, default, (int, float), "a number"))
        return value if low <= value <= high else self.refuse(name, f"must be from {low} to {high}")

    def flag(self, name: str, default: bool | None = None) -> bool:
        """A boolean; required if there is no default."""
        return bool(self._value(name, default, bool, "true or false"))

    def words(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty if missing."""
        value = self._value(name, [], list, "a list of texts in quotes")
        if not all(isinstance(item, str) for item in value):
            self.refuse(name, "must be a list of texts in quotes")
        return tuple(value)

    def texts(self, name: str, default: Texts | None = None) -> Texts:
        """Texts by language; required, and not empty, if there is no default."""
        value: dict[str, Any] = self._value(name, default, dict, "texts by language")
        if not value and default is None:
            self.refuse(name, "must hold a text in one language at least")
        for language, text in value.items():
            if not LANGUAGE.fullmatch(language) or not isinstance(text, str):
                self.refuse(f"{name}.{language}", "must be a text under a language's code")
        return dict(value)

    def table(self, name: str) -> "Reader":
        """A nested table; empty if missing."""
        return self._reader(name, self._value(name, {}, dict, "a table"))

    def tables(self, name: str) -> list["Reader"]:
        """A list of tables; empty if missing."""
        value = self._value(name, [], list, "a list of tables")
        if not all(isinstance(item, dict) for item in value):
            self.refuse(name, "must be a list of tables")
        return [self._reader(f"{name}[{number}]", item) for number, item in enumerate(value, 1)]

    def names(self) -> list[str]:
        """The names in this table."""
        return list(self._table)

    def path(self, name: str) -> str:
        """The full path of a name, for messages."""
        return f"{self._prefix}.{name}" if self._prefix else name

    def refuse(self, name: str, reason: str, hint: str = "", cause: Exception | None = None) -> NoReturn:
        """Raise ConfigError for the value of a name."""
        path = self.path(name)
        raise ConfigError(f"{path} {reason}", hint, path) from cause

    def finish(self) -> None:
        """Raise ConfigError for names that were not read, here and in nested tables."""
        for name in self._table:
            if name not in self._read:
                self.refuse(name, "is not known here")
        for reader in self._inner:
            reader.finish()

    def _reader(self, name: str, table: dict[str, Any]) -> "Reader":
        self._inner.append(Reader(table, self.path(name)))
        return self._inner[-1]

    def _value(self, name: str, default: Any, kind: type | tuple[type, ...], called: str) -> Any:
        self._read.add(name)
        value = self._table.get(name, default)
        if value is None:
            self.refuse(name, "is missing")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.refuse(name, f"must be {called}")
        return value


def line_of(text: str, path: str) -> int:
    """The line of a TOML text on which the value of a path like plan[2].days stands, or begins; 0 if none is found."""
    best, length, table = 0, 0, ""
    counts: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.match(line):
            name = re.sub(r"[\s\"']", "", header[2])
            counts[name] += header[1] == "[["
            table = here = _numbered(name, counts)
        elif key := KEY.match(line):
            name = re.sub(r"[\s\"']", "", key[1])
            here = f"{table}.{name}" if table else name
        else:
            continue
        if (path == here or path.startswith((f"{here}.", f"{here}["))) and len(here) > length:
            best, length = number, len(here)
    return best


def _numbered(name: str, counts: Mapping[str, int]) -> str:
    """The name of a table with the number of each list on the way, as `Reader` counts."""
    path, raw = "", ""
    for part in name.split("."):
        raw = f"{raw}.{part}" if raw else part
        path = (f"{path}.{part}" if path else part) + (f"[{counts[raw]}]" if counts[raw] else "")
    return path
