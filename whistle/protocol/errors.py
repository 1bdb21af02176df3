"""The ways in which bytes can be wrong.  *Not for me* is no fault of anybody's; the others are."""


class ProtocolError(Exception):
    """Base of everything that the protocol refuses; its text holds no plaintext, key, word or token."""


class Malformed(ProtocolError):
    """The bytes are damaged or not of the form that SPEC.md gives."""


class NotForMe(ProtocolError):
    """None of the identities at hand opens it."""


class Forged(ProtocolError):
    """A signature is not by the key that it claims."""


class Expired(ProtocolError):
    """It was right once, or will be, but not on this day."""
