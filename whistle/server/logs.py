"""What the server writes down about failures: the exception's type and the place in the code, nothing of the request.

Messages of exceptions may quote what somebody sent, and tracebacks quote it through the source, so neither is written.
"""

import logging
import sys
import threading
from types import TracebackType

LOG = logging.getLogger("whistle")
Info = (
    tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
)


def describe(error: BaseException) -> str:
    """An exception as `TypeName at module:line`, with the type of what caused it."""
    trace, place = error.__traceback__, "unknown place"
    while trace:
        name = str(trace.tb_frame.f_globals.get("__name__", "?"))
        if name.startswith("whistle") or trace.tb_next is None:
            place = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    cause = f", from {type(error.__cause__).__name__}" if error.__cause__ else ""
    return f"{type(error).__name__} at {place}{cause}"


class Formatter(logging.Formatter):
    """Time of day is left out on purpose: who keeps the log adds the day if wanted."""

    def __init__(self) -> None:
        super().__init__("whistle: %(levelname)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line; a record that carries an exception is reduced to its description."""
        if record.exc_info and record.exc_info[1]:
            record = logging.makeLogRecord({"levelname": record.levelname, "msg": describe(record.exc_info[1])})
        return super().format(record)


def init() -> None:
    """Send warnings and worse to stderr in that form, whichever library they come from."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR)
    LOG.setLevel(logging.WARNING)
    sys.excepthook = lambda kind, error, trace: LOG.error(describe(error))
    threading.excepthook = lambda args: LOG.error(describe(args.exc_value) if args.exc_value else "a thread ended")
