"""One language as pages use it: its texts by key, and how it writes dates, lists, numbers and sizes."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from whistle.translations import cldr
from whistle.translations.cldr import Conventions

Message = str | Mapping[str, str]  # a text, or one for each plural category
SIZES = (("gigabytes", 1 << 30), ("megabytes", 1 << 20), ("kilobytes", 1 << 10))  # bytes each
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Translation:
    """One language: its texts by dotted keys, and its conventions."""

    code: str
    messages: Mapping[str, Message]

    @property
    def conventions(self) -> Conventions:
        """How the language writes things."""
        return cldr.conventions(self.code)

    @property
    def name(self) -> str:
        """The language's name in itself."""
        return cldr.own_name(self.code)

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return self.conventions.direction

    def text(self, key: str, n: int | None = None, **values: object) -> str:
        """A message as plain text, for attributes and messages; KeyError if there is none."""
        return self._message(key, n).format(n=self._number(n), **values)

    def __call__(self, key: str, n: int | None = None, **values: object) -> Markup:
        """A message as HTML: escaped, with each value isolated in a <bdi> so that directions do not mix.

        Values that are already HTML, or can be, are left as they are, and so are whole numbers; a day is written as the
        language does.
        """
        isolated = {name: self._isolated(value) for name, value in values.items()}
        text = escape(self._message(key, n))
        return Markup(text.format(n=self._number(n), **isolated))  # noqa: S704  both parts are escaped

    def day(self, day: datetime.date) -> str:
        """A date, with the name of its month."""
        return cldr.day(self.code, day)

    def month(self, year: int, month: int) -> str:
        """A month of a year, with its name."""
        return cldr.month(self.code, year, month)

    def long_day(self, day: datetime.date) -> str:
        """A date with its day of the week."""
        return cldr.long_day(self.code, day)

    def weekday(self, day: datetime.date | str) -> str:
        """The name of a date's day of the week, or of one that is given in English, as in the manifest."""
        index = WEEKDAYS.index(day) if isinstance(day, str) else day.weekday()
        return self.conventions.weekdays[index]

    def listed(self, items: Sequence[str]) -> Markup:
        """A list of items as HTML, each isolated in a <bdi>."""
        return Markup().join(self._list([_isolated(item) for item in items]))

    def plain_list(self, items: Sequence[str]) -> str:
        """A list of items as plain text."""
        return "".join(self._list(items))

    def size(self, size: int) -> str:
        """A size in bytes, in the largest unit that it reaches."""
        unit, whole = next((pair for pair in SIZES if size >= pair[1]), ("bytes", 1))
        return self.text(f"size.{unit}", size=cldr.number(self.code, size / whole))

    def language(self, code: str) -> str:
        """The name of another language in this one."""
        return cldr.language_name(self.code, code)

    def _list(self, items: Sequence[str]) -> list[str]:
        between = self.conventions
        last = between.pair if len(items) == 2 else between.last
        marks = [between.comma] * (len(items) - 2) + [last] if len(items) > 1 else []
        return [part for pair in zip(items, [*marks, ""], strict=True) for part in pair] if items else []

    def _number(self, n: int | None) -> str | None:
        return None if n is None else cldr.number(self.code, n)

    def _isolated(self, value: object) -> Markup:
        if isinstance(value, datetime.date):
            return escape(self.day(value))
        return escape(value) if hasattr(value, "__html__") or isinstance(value, int) else _isolated(value)

    def _message(self, key: str, n: int | None) -> str:
        message = self.messages[key]
        if isinstance(message, str):
            return message
        if n is None:
            raise KeyError(f"{key} is chosen by a number")
        form = cldr.plural_form(self.code, n)
        return message[form] if form in message else message["other"]


def _isolated(value: object) -> Markup:
    return Markup("<bdi>{}</bdi>").format(value)
