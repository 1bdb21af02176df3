"""The npm package age-encryption, and C2SP's vectors for age as npm carries them."""

import base64
import json
from pathlib import Path

from tests.stock.programs import attempt, need_package, run

SCRIPT = Path(__file__).with_name("age.mjs")


def generate(kind: str) -> tuple[str, str]:
    """A fresh identity (`hybrid` or `x25519`) and its recipient, as text."""
    need_package("age-encryption")
    made = json.loads(run("node", SCRIPT, "keygen", kind))
    return made["identity"], made["recipient"]


def seal(plaintext: bytes, *recipients: str) -> bytes:
    """A file that the package seals."""
    need_package("age-encryption")
    return run("node", SCRIPT, "seal", *recipients, given=plaintext)


def open_(sealed: bytes, *identities: str) -> bytes | None:
    """What the package opens, or None where it refuses."""
    need_package("age-encryption")
    done = attempt("node", SCRIPT, "open", *identities, given=sealed)
    return done.stdout if done.returncode == 0 else None


def vectors() -> dict[str, bytes]:
    """Every vector of C2SP by its name."""
    need_package("cctv-age")
    dumped: dict[str, str] = json.loads(run("node", SCRIPT, "vectors"))
    return {name: base64.b64decode(text) for name, text in dumped.items()}
