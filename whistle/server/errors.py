"""Server errors.  No message contains text, names, words, keys, ids or addresses of anybody."""

Texts = tuple[tuple[str, bytes], ...]  # of a form, in UTF-8: a character outside of ASCII quadruples a decoded one


class ServerError(Exception):
    """Base class of the server's errors."""


class ConfigError(ServerError):
    """`whistle.toml`, or a file that belongs to it, is invalid; the message names the setting or the line.

    `where` is the setting's path in `whistle.toml`, like plan[2].days, or empty.
    """

    def __init__(self, message: str, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.where = where
        self.hint = hint or "mend whistle.toml, or make a new folder with: whistle server init"


class BadManifest(ServerError):
    """A manifest was rejected: no pinned root signed it, it does not follow the known ones, or its slots differ."""


class NoManifest(ServerError):
    """No installed manifest is valid on this day, so nothing can be sealed yet, or any more."""


class StartError(ServerError):
    """The server cannot start; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class CannotPrint(ServerError):
    """A poster cannot be made; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class FormError(ServerError):
    """A form was rejected.  `texts` are those that had arrived, to be shown again; files are discarded."""

    def __init__(self, message: str, texts: Texts = ()) -> None:
        super().__init__(message)
        self.texts = texts

    def get(self, name: str, default: str = "") -> str:
        """The first text that had arrived under a name."""
        return next((value.decode() for field, value in self.texts if field == name), default)


class Broken(FormError):
    """The form ended early, stalled for too long, or is not a form."""


class NotAForm(FormError):
    """The body is not of a form's kind; none of it was read as one."""


class FieldAfterFile(FormError):
    """A text came after the first file; a form's digest requires all texts first."""


class TooBig(FormError):
    """More text, fields, files or bytes than this server accepts; `what` says which."""

    def __init__(self, what: str, texts: Texts = ()) -> None:
        super().__init__(f"too many {what}" if what == "files" else f"too much: {what}", texts)
        self.what = what


class NoTurn(FormError):
    """Other forms hold all the room there is for long texts; this one's end was not kept."""


class NotStored(FormError):
    """The store failed while the form arrived, or has lost blocks of it since; nothing of it was stored."""


class DiskFull(NotStored):
    """The disk is full."""


class Refusal(ServerError):
    """A program's request is refused with HTTP `status`; `hint` says what to do."""

    def __init__(self, status: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint
