"""A case that continues an older one under new words: the old signing key's proof of it (SPEC 4.6)."""

import base64

from nacl.signing import SigningKey

from whistle.protocol import schema, signing
from whistle.protocol.case.message import Continues, Sender
from whistle.protocol.errors import Forged

LABEL = b"whistle/v1 continues\n"


def prove(old: SigningKey, old_case: bytes, new_case: bytes) -> Continues:
    """The proof that the holder of the old words began the new case; cases are 32 bytes."""
    signature = signing.sign(old, LABEL + old_case + new_case)
    return Continues(old_case.hex(), bytes(old.verify_key).hex(), base64.b64encode(signature).decode())


def check(continues: Continues, old: Sender, new_case: str) -> None:
    """Raise Forged unless the sender of the old case signed that the new one, in hexadecimal, continues it."""
    if continues.case != old.case() or continues.sign != old.sign:
        raise Forged("the case that it claims to continue has other keys")
    verify(continues, new_case)


def verify(continues: Continues, new_case: str) -> None:
    """Raise Forged unless the key that it names signed this; whether that is the old case's is another question."""
    signed = LABEL + bytes.fromhex(continues.case) + bytes.fromhex(new_case)
    signing.verify(bytes.fromhex(continues.sign), signed, schema.unbase64(continues.signature))
