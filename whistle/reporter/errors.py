"""How the reporter's program says no: what is wrong, and what to do.  No message holds text, words or addresses."""


class ReporterError(Exception):
    """Base of everything that it refuses or cannot do; `hint` says what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Away(ReporterError):
    """The server cannot be reached, the connection broke, or it has too much to do; the same may be tried again.

    `wait` is in seconds, where the server said for how long.
    """

    def __init__(self, message: str, hint: str, wait: int = 0) -> None:
        super().__init__(message, hint)
        self.wait = wait


class TooMuch(Away):
    """More arrives at the server than it takes; nothing of what was asked is stored."""


class Declined(ReporterError):
    """The server answered, and said no."""


class BadServer(ReporterError):
    """What the server sent is not what it must send."""


class Untrusted(ReporterError):
    """No manifest could be trusted: another root, another signature, another order or another day."""


class CannotSave(ReporterError):
    """A file could not be saved; nothing of it is left behind."""
