"""Logging of failures: the exception's type and the line of code, nothing of the request.

Exceptions' messages may quote what somebody sent, and so may tracebacks, so neither is logged.
"""

import logging
import sys
import threading
from datetime import UTC, date, datetime
from types import TracebackType

from whistle.store import Away

LINES = 1000  # of one day that are remembered
LOG = logging.getLogger("whistle")
Info = (
    tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
)


def describe(error: BaseException) -> str:
    """An exception as `TypeName at module:line`, with the type of its cause."""
    trace, location = error.__traceback__, "unknown location"
    while trace:
        name = str(trace.tb_frame.f_globals.get("__name__", "?"))
        if name.startswith("whistle") or trace.tb_next is None:
            location = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    cause = f", from {type(error.__cause__).__name__}" if error.__cause__ else ""
    return f"{type(error).__name__} at {location}{cause}"


def log_error(error: BaseException) -> None:
    """Log a failure, except Away: `Watch` logs outages of the database, without revealing when requests came."""
    if not isinstance(error, Away):
        LOG.error(describe(error))


class Once(logging.Filter):
    """Drops what has been logged on the same day: a fault in every request takes one line, not hundreds."""

    def __init__(self) -> None:
        super().__init__()
        self._day: date | None = None
        self._logged: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this process has not logged the same line today (UTC)."""
        day = datetime.now(UTC).date()
        if day != self._day or len(self._logged) >= LINES:
            self._day, self._logged = day, set()
        line = describe(record.exc_info[1]) if record.exc_info and record.exc_info[1] else record.getMessage()
        is_new = line not in self._logged
        self._logged.add(line)
        return is_new


class Formatter(logging.Formatter):
    """Formats records without the time of day on purpose; whatever stores the log may add the date."""

    def __init__(self) -> None:
        super().__init__("whistle: %(levelname)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line; a record with an exception is reduced to the exception's description."""
        if record.exc_info and record.exc_info[1]:
            record = logging.makeLogRecord({"levelname": record.levelname, "msg": describe(record.exc_info[1])})
        return super().format(record)


def init() -> None:
    """Log to stderr in this format: our warnings, and errors of any library."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    handler.addFilter(Once())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR)
    LOG.setLevel(logging.WARNING)
    sys.excepthook = lambda kind, error, trace: log_error(error)
    threading.excepthook = lambda args: LOG.error(describe(args.exc_value) if args.exc_value else "a thread ended")
