"""Errors of age files, by the part that is wrong."""

from whistle.protocol.errors import Malformed, ProtocolError


class HeaderError(Malformed):
    """The header, or a stanza of a kind that we read, does not have the form that age v1 gives."""


class LowOrderError(HeaderError):
    """No stanza opened, and one holds an X25519 share of small order, which no honest sealer makes."""


class MacError(Malformed):
    """A stanza opened, but the header was altered."""


class PayloadError(Malformed):
    """A piece of the payload is altered, missing or superfluous."""


class ArmorError(Malformed):
    """The ASCII armour around a file is not canonical."""


class SelfTestError(ProtocolError):
    """The installed cryptography library gives wrong answers: nothing may be sealed or opened with it."""
