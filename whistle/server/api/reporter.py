"""The interface of reporters' programs: the browser's script and the command line.  All by POST, in exact sizes.

URLs never contain ids or tokens.  Bodies are `application/octet-stream`, which pages of other sites cannot send without
a preflight.
"""

import contextlib
import itertools
import re
import struct
from collections.abc import Iterator
from datetime import date

import flask
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge, UnsupportedMediaType

from whistle.protocol.case import envelope
from whistle.protocol.case.attachment import BLOCK
from whistle.protocol.code.retrieval import ID, PLACES, TOKEN, message_id, slip_id
from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import submission
from whistle.server import limits, origin
from whistle.server.api import responses
from whistle.server.errors import Broken, NoManifest, Refusal
from whistle.server.instance import Instance, here
from whistle.server.sealing.arrival import under
from whistle.server.sealing.body import Body
from whistle.store import Full, Heap, Missing, State, Store, StoredEnvelope, Taken

OCTETS = "application/octet-stream"
PAD = 262_144  # bytes of every answer to a lookup: a slip and up to six replies fit, and look like none
FETCH = 64  # blocks in one response
EPOCH = date(1970, 1, 1)
HEAD = struct.Struct(">IB")  # of an answer to a lookup: how many entries it has, and whether there are more
ENTRY = struct.Struct(f">{ID}sBII")  # id, state, day of the state, length of the body that follows
DECIMAL = re.compile(r"[0-9]{1,16}")
ZEROS = bytes(32_768)  # the padding is sent in pieces of these, which all answers share
STATES = {State.WAITING: 0, State.COLLECTED: 1, State.REMOVED: 2}
WITHDRAWN = {"withdrawn": 0, "collected": 1, "unknown": 2}

blueprint = flask.Blueprint("api", __name__, url_prefix="/api")
responses.init(blueprint)


@blueprint.before_request
def refuse_other_sites() -> None:
    """Refuse requests from pages of other sites."""
    if not origin.is_ours(flask.request.environ, here().config.hosts):
        raise Refusal(403, "this came from another site's page", "open this server's own page, in a newer browser")


@blueprint.post("/ready")
def ready() -> flask.Response:
    """Whether a message would be accepted now, to ask before sending it; reserves nothing."""
    limits.count("page")
    _body(0, 0)
    limits.check_queue("send")
    limits.check("block")
    try:
        here().store.check_room()
    except Full as error:
        raise _full() from error
    return _no_content()


@blueprint.post("/block")
def put_block() -> flask.Response:
    """Store a block for a later report: the upload's id, the block's, then 262,144 bytes."""
    body = _body(2 * ID + BLOCK, 2 * ID + BLOCK)
    limits.count("block")
    instance = here()
    try:
        instance.store.put_block(body[ID : 2 * ID], body[2 * ID :], Heap.REVIEWERS, body[:ID])
    except Taken as error:
        raise _taken() from error
    except Full as error:
        raise _full() from error
    return _no_content()


@blueprint.post("/drop")
def drop_blocks() -> flask.Response:
    """Remove uploaded blocks that no report has named, when sending is cancelled."""
    limits.count("page")
    here().store.drop(_split_ids(_body(ID, submission.MAX_BLOCKS * ID)))
    return _no_content()


@blueprint.post("/store")
def store_envelopes() -> flask.Response:
    """Store a message, or a report with its slip, under its token, and keep the blocks put for it."""
    instance = here()
    size = envelope.size(instance.config.slots)
    body = _body(size, submission.MAX_HEAD + submission.REPORT * size)
    request = _parse_store(body, instance.config.slots)
    sealed = under(request.token, request.envelopes)
    again = all(instance.store.has(each.id) for each in sealed)
    if not again:  # a message that is already stored is never refused
        limits.count("page")
        _check_manifest(instance)
    try:
        with limits.storing(again):
            instance.store.commit(sealed, [] if again else request.blocks)  # again: no other blocks either
    except Taken as error:
        raise _taken() from error
    except Missing as error:
        raise Refusal(
            424, "blocks of this message are not here any more", "send all of them again, then this"
        ) from error
    except Full as error:
        raise _full() from error
    return _no_content()


@blueprint.post("/lookup")
def lookup() -> flask.Response:
    """The state of what lies under a reporter's ids, and what was written to them, as far as it has room (SPEC 9.1).

    To go on, the same ids come again behind the last id of the answer before.
    """
    instance = here()
    size = (2 + 2 * instance.config.slots * PLACES) * ID
    goes_on = (flask.request.content_length or 0) > size
    limits.count("fetch" if goes_on else "lookup")
    asked = _split_ids(_body(size, size + ID if goes_on else size))
    after, ids = (asked[0], asked[1:]) if goes_on else (b"", asked)
    if any(one >= two for one, two in itertools.pairwise(ids)):
        raise _malformed()
    found = [each for each in instance.store.lookup(ids, bodies=()) if each.id > after]
    fitting = _fitting(found, envelope.size(instance.config.slots))
    answer = _octets(_entries(instance.store, fitting, len(fitting) < len(found)))
    answer.content_length = PAD
    return answer


@blueprint.post("/blocks")
def fetch_blocks() -> flask.Response:
    """Blocks of replies: for each, a 1 and its bytes, or a 0."""
    limits.count("fetch")
    ids = _split_ids(_body(ID, FETCH * ID))
    return _octets(_blocks(here().store, ids))


@blueprint.post("/withdraw")
def withdraw() -> flask.Response:
    """Withdraw a report and its slip, by the report's token, unless it was collected."""
    limits.count("withdraw")
    token = _body(TOKEN, TOKEN)
    return _octets(bytes([WITHDRAWN[here().store.withdraw(message_id(token), slip_id(token))]]))


def _body(low: int, high: int) -> bytes:
    """The whole body of the current request, from `low` to `high` bytes."""
    request = flask.request
    length = request.content_length or 0
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired
    if request.mimetype != OCTETS:
        raise UnsupportedMediaType
    if length > high:
        raise RequestEntityTooLarge
    if length < low:
        raise _malformed()
    try:
        return Body(request.environ["wsgi.input"], length).whole()
    except Broken as error:
        raise _malformed() from error


def _check_manifest(instance: Instance) -> None:
    """Refuse what was sealed by an older manifest than the one in force, if the program says by which."""
    named = flask.request.headers.get(submission.SERIAL, "")
    if not named:
        return
    if not DECIMAL.fullmatch(named):
        raise _malformed()
    with contextlib.suppress(NoManifest):
        if int(named) < instance.published.now().current(instance.today).manifest.serial:
            raise _renewed()


def _parse_store(body: bytes, slots: int) -> submission.StoreRequest:
    try:
        return submission.parse(body, slots)
    except Malformed as error:
        raise _malformed() from error


def _blocks(store: Store, ids: list[bytes]) -> Iterator[bytes]:
    # One at a time: whoever reads slowly holds one block and no connection to the database.
    for id in ids:
        block = store.block(id, Heap.REPORTERS)
        if block is None:
            yield b"\0"
        else:
            yield b"\1"
            yield block


def _split_ids(body: bytes) -> list[bytes]:
    if len(body) % ID:
        raise _malformed()
    return list(struct.unpack(f"{ID}s" * (len(body) // ID), body))


def _octets(answer: bytes | Iterator[bytes]) -> flask.Response:
    return flask.Response(answer, content_type=OCTETS)


def _no_content() -> flask.Response:
    return flask.Response(status=204)


def _fitting(found: list[StoredEnvelope], size: int) -> list[StoredEnvelope]:
    """The first of what was found, as far as one answer holds them; `size` is an envelope's."""
    room = PAD - HEAD.size
    for count, each in enumerate(found):
        room -= ENTRY.size + size * each.is_for_reporters
        if room < 0:
            return found[:count]
    return found


def _entries(store: Store, found: list[StoredEnvelope], more: bool) -> Iterator[bytes]:
    """An answer to a lookup.  Each body is read when it is sent: a slow reader holds one, and no connection."""
    yield HEAD.pack(len(found), more)
    left = PAD - HEAD.size
    for each in found:  # never the report's own body: the words do not give access to what was written
        body = _body_of(store, each.id) if each.is_for_reporters else b""
        day = (each.state_day - EPOCH).days  # of the state: when it arrived, was collected or removed
        yield ENTRY.pack(each.id, STATES[each.state], day, len(body)) + body
        left -= ENTRY.size + len(body)
    while left:
        yield ZEROS[:left]
        left -= min(left, len(ZEROS))


def _body_of(store: Store, id: bytes) -> bytes:
    """The body of an envelope to a reporter; empty if it was removed a moment ago."""
    return b"".join(each.body or b"" for each in store.lookup([id], heaps=[Heap.REPORTERS]))


def _malformed() -> Refusal:
    return Refusal(400, "the request is malformed", "use the version that the operator runs")


def _taken() -> Refusal:
    return Refusal(409, "something else is stored under this token", "begin again with a new code")


def _renewed() -> Refusal:
    return Refusal(
        412, "another manifest is in force", "seal it again by the manifest of now; nothing of it was stored"
    )


def _full() -> Refusal:
    return Refusal(507, "the server's disk is full", "try again later; nothing of it was stored")
