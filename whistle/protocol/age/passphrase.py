"""The recipient type scrypt: a passphrase, for key files.  Its stanza must be the only one in a header."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from whistle.protocol.age.errors import HeaderError
from whistle.protocol.age.format import SCRYPT, Stanza
from whistle.protocol.age.primitives import WRAPPED_KEY, ZERO_NONCE, decode_argument, encode_base64, open_, seal

LABEL = b"age-encryption.org/v1/scrypt"
SALT = 16  # bytes
BLOCK_SIZE = 8  # scrypt's r; p is 1
MAX_LOG_N = 20  # 1 GiB of memory; OpenSSL accepts at most 2
LOG_N = 18  # 256 MiB, as stock age chooses

_WORK = re.compile(r"[1-9][0-9]?", re.ASCII)


@dataclass(frozen=True)
class ScryptRecipient:
    """Seals with a passphrase at work factor 2^`log_n`; ValueError above what `ScryptIdentity` opens."""

    passphrase: str = field(repr=False)
    log_n: int = LOG_N

    def __post_init__(self) -> None:
        _check_work(self.log_n)

    def wrap(self, file_key: bytes) -> Stanza:
        """A fresh stanza that holds `file_key` (16 bytes) under the passphrase."""
        salt = secrets.token_bytes(SALT)
        body = seal(_stretch(self.passphrase, salt, self.log_n), ZERO_NONCE, file_key)
        return Stanza((SCRYPT, encode_base64(salt).decode("ascii"), str(self.log_n)), body)


@dataclass(frozen=True)
class ScryptIdentity:
    """Opens with a passphrase; HeaderError for a file with a work factor above 2^`max_log_n`."""

    passphrase: str = field(repr=False)
    max_log_n: int = MAX_LOG_N

    def __post_init__(self) -> None:
        _check_work(self.max_log_n)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key, or None if the passphrase is wrong; HeaderError if the stanza has the wrong form."""
        mine = [stanza for stanza in stanzas if stanza.args[0] == SCRYPT]
        if not mine:
            return None
        if len(stanzas) > 1:
            raise HeaderError("a passphrase's stanza is not the only one")
        salt, log_n = _salt_and_work(mine[0])
        if log_n > self.max_log_n:
            raise HeaderError(f"the passphrase's work factor is above 2^{self.max_log_n}")
        return open_(_stretch(self.passphrase, salt, log_n), ZERO_NONCE, mine[0].body)


def _check_work(log_n: int) -> None:
    if not 1 <= log_n <= MAX_LOG_N:
        raise ValueError(f"scrypt's work factor goes from 2^1 to 2^{MAX_LOG_N}")


def _salt_and_work(stanza: Stanza) -> tuple[bytes, int]:
    """The salt and log2 of the work factor; lengths are checked before anything is opened."""
    if len(stanza.args) != 3 or len(stanza.body) != WRAPPED_KEY or not _WORK.fullmatch(stanza.args[2]):
        raise HeaderError("a passphrase's stanza has the wrong form")
    return decode_argument(stanza.args[1], SALT), int(stanza.args[2])


def _stretch(passphrase: str, salt: bytes, log_n: int) -> bytes:
    """scrypt (RFC 7914), 32 bytes; it takes 2^(10 + log_n) bytes of memory."""
    n = 1 << log_n
    memory = 128 * BLOCK_SIZE * (n + 16)
    return hashlib.scrypt(passphrase.encode(), salt=LABEL + salt, n=n, r=BLOCK_SIZE, p=1, maxmem=memory, dklen=32)
