"""The outside of key files: an age file under a passphrase, which stock `age -d` opens (SPEC 1.7).

A passphrase counts in NFC, wherever it is typed: systems compose the same letters differently.
"""

import unicodedata

from whistle.protocol import age
from whistle.protocol.age import ScryptIdentity, ScryptRecipient
from whistle.protocol.age.passphrase import LOG_N

SHORTEST = 12  # characters of a new passphrase


def composed(passphrase: str) -> str:
    """The passphrase as it counts, in NFC.  Raises UnicodeError for what is no text."""
    found = unicodedata.normalize("NFC", passphrase)
    found.encode()
    return found


def seal(text: str, passphrase: str, log_n: int = LOG_N) -> bytes:
    """A key file around `text`.  Raises UnicodeError."""
    return age.encrypt([ScryptRecipient(composed(passphrase), log_n)], text.encode())


def unseal(data: bytes, passphrase: str) -> str:
    """The text of a key file.  Raises NotForMe for another passphrase, Malformed, UnicodeError.

    A stock tool takes the bytes as they were typed, so those are tried too, and what a Mac may have made of them.
    """
    forms = dict.fromkeys([composed(passphrase), passphrase, unicodedata.normalize("NFD", passphrase)])
    return age.decrypt([ScryptIdentity(form) for form in forms], data).decode()
