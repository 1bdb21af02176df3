"""From a passphrase to the key that unwraps a vault's key: Argon2id (RFC 9106), slow on purpose.

SPEC 1.1.  The parameters lie beside the vault, since they are needed before anything can be opened.  Changing them
only gives another key, so they need bounds but no protection.
"""

from dataclasses import dataclass

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from whistle.protocol.trust.keyfile import SHORTEST, normalized
from whistle.workstation.errors import Refused, VaultError, VaultForeign
from whistle.workstation.language import t

SALT = 16  # bytes
KEY = 32  # bytes
MEMORY_LIMIT = 4 * 1024 * 1024  # KiB; no vault.json of ours holds more


@dataclass(frozen=True)
class Cost:
    """What one guess costs: memory in KiB, passes, lanes."""

    memory: int
    time: int
    lanes: int


PROFILES = {"standard": Cost(memory=512 * 1024, time=3, lanes=4), "test": Cost(memory=64, time=1, lanes=1)}


def cost(profile: str) -> Cost:
    """The cost of a named profile.  Raises Refused for an unknown name."""
    if profile not in PROFILES:
        raise Refused(
            t("passphrase.no_profile", name=profile), t("passphrase.no_profile_hint", names=", ".join(PROFILES))
        )
    return PROFILES[profile]


def check_new(passphrase: str) -> str:
    """The passphrase, if it may protect a new vault.  Raises Refused if it is too short."""
    if len(normalized(passphrase)) < SHORTEST:
        raise Refused(
            t("passphrase.short", SHORTEST),
            t("passphrase.short_hint"),
        )
    return passphrase


def derive(passphrase: str, salt: bytes, price: Cost) -> bytes:
    """A key of 32 bytes.  Raises VaultForeign for bad settings, VaultError for lack of memory, Refused for bad text."""
    sound = len(salt) == SALT and 8 * price.lanes <= price.memory <= MEMORY_LIMIT
    if not sound or not 1 <= price.time <= 64 or not 1 <= price.lanes <= 64:
        raise VaultForeign(t("passphrase.settings"), t("passphrase.settings_hint"))
    try:
        secret = normalized(passphrase).encode()
        return hash_secret_raw(secret, salt, price.time, price.memory, price.lanes, KEY, Type.ID)
    except UnicodeEncodeError as exc:
        raise Refused(t("passphrase.encoding"), t("passphrase.encoding_hint")) from exc
    except HashingError as exc:
        raise VaultError(
            t("passphrase.memory", size=f"{price.memory // 1024} MiB"),
            t("passphrase.memory_hint"),
        ) from exc
