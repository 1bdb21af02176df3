"""What can be wrong with bytes.  `NotForMe` is nobody's fault; all others mean damage, forgery or a wrong day."""


class ProtocolError(Exception):
    """Base of all errors of this package; the text never contains plaintext, keys, words or tokens."""


class Malformed(ProtocolError):
    """The bytes are damaged, or do not have the form that SPEC.md gives."""


class NotForMe(ProtocolError):
    """None of the identities at hand opens it."""


class Forged(ProtocolError):
    """A signature was not made by the key that should have made it."""


class Expired(ProtocolError):
    """Valid on another day, but not on this one."""
