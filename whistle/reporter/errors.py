"""Errors of the reporter's program: what is wrong, and what to do.  No message holds text, words or addresses."""


class ReporterError(Exception):
    """Base class; `hint` says what would help.

    `texts` are both with names in braces, as translations have them, and `values` take the place of the names.
    """

    def __init__(self, message: str, hint: str, **values: object) -> None:
        self.texts, self.values = (message, hint), values
        message, self.hint = (text.format(**values) if values else text for text in self.texts)
        super().__init__(message)


class Away(ReporterError):
    """The server cannot be reached or is overloaded, or the connection broke; the request may be repeated.

    `wait` is in seconds, 0 if the server did not say how long.
    """

    def __init__(self, message: str, hint: str, wait: int = 0, **values: object) -> None:
        super().__init__(message, hint, **values)
        self.wait = wait


class TooMuch(Away):
    """The server's rate limit was reached; nothing of the request was stored."""


class Declined(ReporterError):
    """The server refused the request."""


class Lost(Declined):
    """The server has lost blocks of a message before it was stored; nothing of it was."""


class BadServer(ReporterError):
    """The server's answer is not in the expected form."""


class Untrusted(ReporterError):
    """No manifest could be trusted, because of its root, signature, chain or dates."""


class CannotSave(ReporterError):
    """A file could not be saved; nothing of it is left behind."""
