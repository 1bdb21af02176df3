"""What `whistle courier run` remembers from one start to the next: days, and nothing of what it carried."""

import datetime
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from whistle import durable

RUN, TOLD = "run.json", "told.json"


@dataclass
class Seen:
    """What the exchanges showed, for alarms.

    `began` is the first day; `written` is when a workstation last wrote an outbox, as it says; `expires` and `promised`
    are the manifest's end and its days of collection; `failing` is since when the server has been away, in seconds
    since 1970; `troubles` are the kinds of what is wrong with the last exchange.
    """

    began: datetime.date
    written: datetime.date | None = None
    expires: datetime.date | None = None
    promised: tuple[str, ...] = ()
    failing: float | None = None
    troubles: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Write it durably. Raises OSError."""
        durable.write(folder / RUN, json.dumps(asdict(self), default=datetime.date.isoformat).encode())


@dataclass
class Told:
    """The day of the newest notice, and when each alarm was given last, in seconds since 1970."""

    noticed: datetime.date | None = None
    alarms: dict[str, float] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write it durably. Raises OSError."""
        durable.write(folder / TOLD, json.dumps(asdict(self), default=datetime.date.isoformat).encode())


def seen(folder: Path, today: datetime.date) -> Seen:
    """What was seen; nothing if the file is missing or damaged, since each exchange shows it anew."""
    record = _read(folder / RUN)
    try:
        failing = record["failing"]
        return Seen(
            datetime.date.fromisoformat(record["began"]),
            _day(record["written"]),
            _day(record["expires"]),
            tuple(str(day) for day in record["promised"]),
            None if failing is None else float(failing),
            tuple(str(kind) for kind in record["troubles"]),
        )
    except (KeyError, TypeError, ValueError):
        return Seen(today)


def told(folder: Path) -> Told:
    """What was told; nothing if the file is missing or damaged, so that it is told once more."""
    record = _read(folder / TOLD)
    try:
        return Told(_day(record["noticed"]), {str(kind): float(at) for kind, at in record["alarms"].items()})
    except (KeyError, TypeError, ValueError, AttributeError):
        return Told()


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _day(text: Any) -> datetime.date | None:
    return None if text is None else datetime.date.fromisoformat(text)
