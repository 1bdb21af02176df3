"""What programs of reporters ask: the browser's half and the command line.  Everything by POST, in exact sizes.

The look, of which there are most, is in `looks`.

No id or token ever stands in an address.  Bodies are `application/octet-stream`, which no page of another site can
send without asking first.
"""

import struct
from collections.abc import Iterator

import flask

from whistle.protocol import envelope, parcel
from whistle.protocol.attachment import BLOCK
from whistle.protocol.errors import Malformed
from whistle.protocol.retrieval import TOKEN, thing_id
from whistle.server import answers, limits, looks
from whistle.server.errors import Refusal
from whistle.server.instance import here
from whistle.server.looks import OCTETS
from whistle.store import Full, Heap, Missing, Sealed, Store, Taken

FETCH = 64  # blocks in one answer
WITHDRAWN = {"withdrawn": 0, "collected": 1, "unknown": 2}

blueprint = flask.Blueprint("api", __name__, url_prefix="/api")
answers.init(blueprint)


@blueprint.post("/block")
def put_block() -> flask.Response:
    """Keep a block for a report that follows: id, then 262,144 bytes."""
    limits.count("block")
    with limits.uploading():
        body = _body(TOKEN + BLOCK, TOKEN + BLOCK)
    instance = here()
    try:
        instance.store.put_block(body[:TOKEN], body[TOKEN:], Heap.REVIEWERS, instance.today)
    except Taken as error:
        raise _taken() from error
    except Full as error:
        raise _full() from error
    return _nothing()


@blueprint.post("/store")
def store_envelopes() -> flask.Response:
    """Keep one envelope, or a report with its slip, under their tokens, and the blocks that were put for them."""
    limits.count("send")
    instance = here()
    size = envelope.size(instance.config.slots)
    with limits.uploading():
        body = _body(size, parcel.MAX_HEAD + parcel.REPORT * size)
    asked = _parse_store(body, instance.config.slots)
    named = zip(asked.tokens, (Heap.REVIEWERS, Heap.REPORTERS), asked.envelopes, strict=False)
    sealed = [Sealed(thing_id(token), heap, each) for token, heap, each in named]
    try:
        instance.store.commit(sealed, asked.blocks, instance.today)
    except Taken as error:
        raise _taken() from error
    except Missing as error:
        raise looks.unknown() from error
    except Full as error:
        raise _full() from error
    return _nothing()


@blueprint.post("/blocks")
def fetch_blocks() -> flask.Response:
    """Blocks of replies, each as 1 and its bytes, or 0."""
    limits.count("fetch")
    ids = _cut(_body(TOKEN, FETCH * TOKEN))
    kept = here().store
    return flask.Response(_blocks(kept, ids), mimetype=OCTETS)


@blueprint.post("/withdraw")
def withdraw() -> flask.Response:
    """Take a report and its slip back, by their tokens, while nobody has collected them."""
    limits.count("withdraw")
    ids = [thing_id(token) for token in _cut(_body(2 * TOKEN, 2 * TOKEN))]
    instance = here()
    return _octets(bytes([WITHDRAWN[instance.store.withdraw(ids, instance.today)]]))


def _body(low: int, high: int) -> bytes:
    return looks.body(flask.request.environ, low, high)


def _parse_store(body: bytes, slots: int) -> parcel.Request:
    try:
        return parcel.parse(body, slots)
    except Malformed as error:
        raise looks.unknown() from error


def _blocks(kept: Store, ids: list[bytes]) -> Iterator[bytes]:
    for id in ids:
        found = kept.block(id, Heap.REPORTERS)
        yield b"\0" if found is None else b"\1" + found


def _cut(body: bytes) -> list[bytes]:
    if len(body) % TOKEN:
        raise looks.unknown()
    return list(struct.unpack(f"{TOKEN}s" * (len(body) // TOKEN), body))


def _octets(answer: bytes) -> flask.Response:
    return flask.Response(answer, content_type=OCTETS)


def _nothing() -> flask.Response:
    return flask.Response(status=204)


def _taken() -> Refusal:
    return Refusal(409, "something else is stored under this token", "begin again with a new code")


def _full() -> Refusal:
    return Refusal(507, "the server's disk is full", "try again later; nothing of it was kept")
