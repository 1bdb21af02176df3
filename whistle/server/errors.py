"""How the server says no.  No message holds text, names, words, keys, ids or addresses of anybody."""


class ServerError(Exception):
    """Base of everything that the server itself refuses."""


class ConfigError(ServerError):
    """`whistle.toml`, or a file that it names, is not as it should be; the message names the place in the file."""


class BadManifest(ServerError):
    """A manifest was not taken: no pinned root signed it, it follows none that is here, or its slots differ."""


class NoManifest(ServerError):
    """No manifest that may be used on this day has been installed, so nothing can be sealed yet, or any more."""


class StartError(ServerError):
    """The server cannot start; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class FormError(ServerError):
    """A form was not taken.  `fields` are the texts that had arrived, to be given back; files are never kept."""

    def __init__(self, message: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields

    def get(self, name: str, default: str = "") -> str:
        """The first text that had arrived under a name."""
        return next((value for field, value in self.fields if field == name), default)


class Broken(FormError):
    """The form ended early, stood still for too long, or is no form at all."""


class FieldAfterFile(FormError):
    """A text came after the first file; the digest of a form wants all texts first."""


class TooBig(FormError):
    """More text, files or bytes than this server takes; `what` is "text", "files" or "bytes"."""

    def __init__(self, what: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"too many {what}" if what == "files" else f"too much: {what}", fields)
        self.what = what


class Unkept(FormError):
    """The store failed while the form arrived; nothing of it was kept."""


class NoRoom(FormError):
    """The disk is full; nothing of the form was kept."""


class Refusal(ServerError):
    """A program's request is not taken; `status` is HTTP's, `hint` says what to do."""

    def __init__(self, status: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint
