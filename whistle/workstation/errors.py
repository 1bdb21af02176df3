"""Workstation errors: one line that says what is wrong, and one that says what to do about it."""


class WorkstationError(Exception):
    """Base class.  Neither line ever holds plaintext, a key or words."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class VaultError(WorkstationError):
    """The vault cannot be opened, read or written."""


class WrongPassphrase(VaultError):
    """The passphrase does not open this vault."""


class VaultMissing(VaultError):
    """There is no vault in this folder."""


class VaultForeign(VaultError):
    """The files in this folder do not belong together, or this program did not write them."""


class VaultLocked(VaultError):
    """Another program has this vault open."""


class VaultReadOnly(VaultError):
    """The folder or the disk cannot be written."""


class Refused(WorkstationError):
    """A rule of the protocol forbids the action now."""


class ClockBehind(Refused):
    """This computer's clock is behind a day on which the vault was already used: nothing is signed."""


class NotExchanged(Refused):
    """The vault was restored from a backup and does not know yet what it signed since: nothing is signed."""


class Untrusted(WorkstationError):
    """A manifest or a stick is not what it claims to be."""


class CannotSave(WorkstationError):
    """A file could not be written whole; no part of it is left behind."""
