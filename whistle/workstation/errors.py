"""What a reviewer is told when something cannot be done: one line of what, one line of what to do about it."""


class WorkstationError(Exception):
    """Base of everything that the workstation refuses; neither line ever holds plaintext, a key or words."""

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
    """The parts of this folder do not belong together, or were not written by this program."""


class VaultLocked(VaultError):
    """Another program has this vault open."""


class VaultReadOnly(VaultError):
    """The folder or the disk takes no writing."""


class Refused(WorkstationError):
    """An action that a rule of the protocol forbids here and now."""


class ClockBehind(Refused):
    """This computer's clock shows a day before one that was already seen: nothing is signed with it."""


class Untrusted(WorkstationError):
    """A manifest or a stick does not come from where it claims."""


class CannotSave(WorkstationError):
    """A file could not be written whole; nothing of it is left behind."""
