"""The key file: an age file, sealed with a passphrase, around an age identity file.  Stock `age` opens it.

The signing key is in a comment, since age rejects lines that it does not know.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from whistle.protocol.age import HybridIdentity
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.trust import keyfile
from whistle.protocol.trust.minisign import SecretKey
from whistle.workstation.errors import WorkstationError, WrongPassphrase
from whistle.workstation.language import t
from whistle.workstation.vault.identities import Period

SECRET = "# WHISTLE-SECRET-MINISIGN "  # noqa: S105 (the form of a secret, so that a leak can be searched for)
PERIOD = "# period "
LOG_N = 18  # 256 MiB of memory for each guess
CHEAP_LOG_N = 8  # for tests


@dataclass(frozen=True)
class Keys:
    """What a key file holds."""

    signing: SecretKey
    periods: tuple[Period, ...]


def write(keys: Keys, passphrase: str, log_n: int = LOG_N) -> bytes:
    """The key file's bytes."""
    return keyfile.seal(plain(keys), passphrase, log_n)


def plain(keys: Keys) -> str:
    """What is sealed in the key file."""
    lines = ["# A reviewer's keys. Whoever reads this reads the reviewer's cases.", SECRET + keys.signing.text]
    for period in keys.periods:
        lines += [f"{PERIOD}{period.first} {period.last}", period.identity.text]
    return "\n".join(lines) + "\n"


def read(data: bytes, passphrase: str) -> Keys:
    """The keys of a key file.  Raises WrongPassphrase, or WorkstationError if it is not a key file."""
    try:
        text = keyfile.unseal(data, passphrase)
        return Keys(_signing(text), tuple(_periods(text.splitlines())))
    except NotForMe as exc:
        raise WrongPassphrase(t("keyfile.wrong"), t("keyfile.wrong_hint")) from exc
    except (Malformed, ValueError) as exc:
        raise WorkstationError(t("keyfile.damaged"), t("keyfile.damaged_hint")) from exc


def _signing(text: str) -> SecretKey:
    keys = [line.removeprefix(SECRET) for line in text.splitlines() if line.startswith(SECRET)]
    if len(keys) != 1:
        raise Malformed("no signing key")
    return SecretKey.from_text(keys[0])


def _periods(lines: Sequence[str]) -> list[Period]:
    periods, days = [], None
    for line in lines:
        if line.startswith(PERIOD):
            first, last = line.removeprefix(PERIOD).split(" ")
            days = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
        elif not line.startswith("#") and days:
            periods.append(Period(*days, HybridIdentity.from_text(line)))
            days = None
    if not periods:
        raise Malformed("no identity")
    return periods
