"""Key files: text in an age file under a passphrase, which stock `age -d` opens (SPEC 1.7).

Passphrases are normalised to NFC, since systems compose the same letters differently.
"""

import unicodedata

from whistle.protocol import age
from whistle.protocol.age import ScryptIdentity, ScryptRecipient
from whistle.protocol.age.passphrase import LOG_N

SHORTEST = 12  # characters of a new passphrase


def normalized(passphrase: str) -> str:
    """The passphrase in NFC.  Raises UnicodeError for lone surrogates."""
    text = unicodedata.normalize("NFC", passphrase)
    text.encode()
    return text


def seal(text: str, passphrase: str, log_n: int = LOG_N) -> bytes:
    """A key file around `text`.  Raises UnicodeError."""
    return age.encrypt([ScryptRecipient(normalized(passphrase), log_n)], text.encode())


def unseal(data: bytes, passphrase: str) -> str:
    """The text of a key file.  Raises NotForMe for another passphrase, Malformed, UnicodeError.

    Stock tools use the bytes as typed, so those are tried too, and NFD, as a Mac may have written them.
    """
    forms = dict.fromkeys([normalized(passphrase), passphrase, unicodedata.normalize("NFD", passphrase)])
    return age.decrypt([ScryptIdentity(form) for form in forms], data).decode()
