"""What can be wrong with an age file, by the place where it shows."""

from whistle.protocol.errors import Malformed, ProtocolError


class HeaderError(Malformed):
    """The header, or a stanza of a kind that we read, is not of the form that age v1 gives."""


class LowOrderError(HeaderError):
    """No stanza opened, and one of a kind that we read holds a share of small order, which no honest sealer makes."""


class MacError(Malformed):
    """A stanza opened, but the header is not the one that was sealed."""


class PayloadError(Malformed):
    """A piece of the payload is altered, missing or too many."""


class ArmorError(Malformed):
    """The ASCII armour around a file is not of the one form that it has."""


class SelfTestError(ProtocolError):
    """The installed cryptography library gives wrong answers: nothing may be sealed or opened with it."""
