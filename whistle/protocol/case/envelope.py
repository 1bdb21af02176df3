"""Envelopes: every message has the same size and hides its number of readers (SPEC 5).

An envelope is an age file with exactly ``slots`` stanzas in random order: the readers', and real encapsulations to
throwaway recipients for the rest.
"""

import base64
import datetime
import random
from collections.abc import Sequence

from whistle.protocol import age, schema
from whistle.protocol.age import HybridIdentity, Recipient, Throwaway
from whistle.protocol.age.hybrid import ENCAPSULATED, KIND
from whistle.protocol.age.primitives import WRAPPED_KEY
from whistle.protocol.case import attachment, message
from whistle.protocol.case.attachment import Block
from whistle.protocol.case.message import MAX_REST, MAX_SLOTS, Body, Message, Signed
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.signing import SIGNATURE

MIN_SLOTS = 2
REPLIES_KEPT = datetime.timedelta(days=400)  # by the server, all of the reporters' heap (SPEC 9.5)
SLOT = 4096  # bytes of an envelope for each slot
INTRO = 70  # bytes of an age header without stanzas
STANZA = 1557  # bytes of a stanza mlkem768x25519
NONCE = 16  # bytes
TAG = 16  # bytes
ENDING = 90  # bytes: the signature in base64 and the ends of lines 1 and 2
_SHUFFLE = random.SystemRandom()


def size(slots: int) -> int:
    """The size in bytes of every envelope of an instance."""
    if not MIN_SLOTS <= slots <= MAX_SLOTS:
        raise ValueError(f"slots are {MIN_SLOTS} to {MAX_SLOTS}")
    return slots * SLOT


def header_size(slots: int) -> int:
    """The size in bytes of every envelope's age header."""
    return INTRO + slots * STANZA


def capacity(slots: int) -> int:
    """How many bytes of plaintext an envelope holds: one chunk of the age stream."""
    return size(slots) - header_size(slots) - NONCE - TAG


def line_capacity(slots: int) -> int:
    """The maximum length of line 1, in bytes."""
    return capacity(slots) - ENDING


def fold(whole: Message, slots: int) -> tuple[Message, list[Block]]:
    """The message as it fits in an envelope; if it is too long, its content moves to an attachment `rest` (SPEC 4.5).

    Also returns the blocks of `rest`.  Malformed if it is still too long, or if no reader would accept it.
    """
    if len(whole.line) <= line_capacity(slots):
        _ = whole.readable
        return whole, []
    if not isinstance(whole, Body):
        raise Malformed("a message is too long for its envelope")
    content = message.content_of(whole)
    if len(content) > MAX_REST:
        raise Malformed("a message is too long")
    sealer = attachment.Sealer()
    blocks = sealer.update(content)
    last, record = sealer.finish("", "application/json", kind="rest")
    folded = message.with_rest(whole, record)
    if len(folded.line) > line_capacity(slots):
        raise Malformed("a message is too long for its envelope")
    message.with_content(folded, content)
    return folded, blocks + last


def seal(signed: Signed, recipients: Sequence[Recipient], slots: int, throwaways: Sequence[Recipient] = ()) -> bytes:
    """The envelope of a message for at most ``slots`` distinct recipients.

    ``throwaways`` are recipients whose identities nobody has; fresh ones are made if there are too few.
    """
    everyone = list(dict.fromkeys(recipients))
    if not 1 <= len(everyone) <= slots:
        raise ValueError("there must be one to `slots` recipients")
    everyone += throwaways[: slots - len(everyone)]
    while len(everyone) < slots:
        everyone.append(Throwaway())
    _SHUFFLE.shuffle(everyone)
    plaintext = signed.line + b"\n" + base64.b64encode(signed.signature) + b"\n"
    if len(plaintext) > capacity(slots):
        raise Malformed("a message is too long for its envelope")
    return age.encrypt(everyone, plaintext.ljust(capacity(slots)))


def check_form(body: bytes, slots: int) -> None:
    """Raise Malformed unless the size and the stanzas are those of an envelope.  Opens nothing."""
    _check_size(body, slots)
    _check_stanzas(age.parse_header(body)[0], slots)


def _check_size(body: bytes, slots: int) -> None:
    if len(body) != size(slots):
        raise Malformed("an envelope has the wrong size")


def _check_stanzas(header: age.Header, slots: int) -> None:
    if len(header.stanzas) != slots:
        raise Malformed("an envelope has the wrong number of stanzas")
    for stanza in header.stanzas:
        if stanza.args[0] != KIND or len(stanza.body) != WRAPPED_KEY or len(stanza.share) != ENCAPSULATED:
            raise Malformed("an envelope has a stanza of the wrong form")


def open_(body: bytes, identities: Sequence[HybridIdentity], slots: int) -> Signed:
    """The message of an envelope, its signature not yet checked; raises what `decrypt` and `split` raise."""
    return split(decrypt(body, identities, slots))


def decrypt(body: bytes, identities: Sequence[HybridIdentity], slots: int) -> bytes:
    """The plaintext of an envelope, for `split`.

    NotForMe if none of ``identities`` opens it; Malformed if it is damaged as sent.  A stanza whose share has small
    order opens nothing and does not count as damage, since libraries report it differently.
    """
    _check_size(body, slots)
    try:  # as `check_form` does, but with one reading of the header
        return age.decrypt(identities, body, lambda header: _check_stanzas(header, slots))
    except age.LowOrderError as error:
        raise NotForMe("none of the identities opens this envelope") from error


def split(plaintext: bytes) -> Signed:
    """The message of line 1 and the signature of line 2, followed by spaces only; Malformed for anything else."""
    lines = plaintext.split(b"\n", 2)
    if len(lines) != 3 or lines[2] != b" " * len(lines[2]):
        raise Malformed("an envelope's plaintext is not two lines followed by spaces")
    line, encoded, _ = lines
    signature = schema.unbase64(encoded.decode("ascii", "replace"))
    if len(signature) != SIGNATURE:
        raise Malformed("a signature has 64 bytes")
    return Signed(line, signature, message.parse(line))
