"""The couriers' interface: what is stored for each day, envelopes and blocks by id, and the push of an outbox.

Each request is signed by a courier of the manifest in force.  A courier can neither open nor forge anything: it may
push any bytes of the right size, and whoever opens a forged reply notices.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import flask
from werkzeug.exceptions import NotFound, RequestEntityTooLarge

from whistle.protocol import canonical, schema
from whistle.protocol.code.retrieval import TOKEN
from whistle.protocol.errors import Expired, Malformed, ProtocolError
from whistle.protocol.reporter import questions as asked
from whistle.protocol.transfer import bundle, courier_auth, tar
from whistle.protocol.transfer.listing import MAX_PART
from whistle.protocol.trust.manifest import Courier, SignedManifest
from whistle.server import limits
from whistle.server.api import responses
from whistle.server.api.bundle_push import take
from whistle.server.errors import Broken, NoManifest, Refusal
from whistle.server.instance import Instance, here
from whistle.server.sealing.body import Body
from whistle.store import Full, Heap, Store

MAX_QUESTION = 64 * 1024  # bytes of a request's JSON, at most
LISTED = 4096  # ids of a day in one response
FETCH = 500  # envelopes, and blocks, in one response
TIME = re.compile(r"0|[1-9][0-9]{0,11}")  # has one spelling, since the signature is over the number
DIGEST = re.compile(r"[0-9a-f]{64}")

blueprint = flask.Blueprint("courier", __name__)
responses.init(blueprint)


@blueprint.get("/manifest.json")
@blueprint.get("/manifest.json.minisig")
def manifest() -> flask.Response:
    """The manifest in force today, or its signature."""
    limits.count("page")
    instance = here()
    try:
        return _published(instance.published.now().current(instance.today))
    except NoManifest as error:
        raise NotFound from error


@blueprint.get("/manifest-<int:serial>.json")
@blueprint.get("/manifest-<int:serial>.json.minisig")
def numbered(serial: int) -> flask.Response:
    """A manifest by its serial, past, in force or signed in advance; or its signature."""
    limits.count("page")
    signed = here().published.now().numbered(serial)
    if signed is None or flask.request.path.removesuffix(".minisig") != f"/manifest-{serial}.json":
        raise NotFound  # `manifest-01.json` is no other name of it
    return _published(signed)


@blueprint.get("/root-<int:number>.pub")
def root(number: int) -> flask.Response:
    """A root's public key, counted from 1.  Before pinning, compare the fingerprint of all through another channel."""
    limits.count("page")
    roots = here().published.roots
    if not 1 <= number <= len(roots) or flask.request.path != f"/root-{number}.pub":
        raise NotFound
    return flask.Response(roots[number - 1].file(), mimetype="text/plain")


@blueprint.get("/questions.json")
def questions() -> flask.Response:
    """The questions of each channel, for programs that do not show the page."""
    limits.count("page")
    instance = here()
    channels = dict.fromkeys(instance.config.questions)
    with contextlib.suppress(NoManifest):
        current = instance.published.now().current(instance.today).manifest
        channels |= dict.fromkeys(each.id for each in current.channels)
    questions = {id: instance.config.asked_in(id) for id in channels}
    return flask.Response(asked.encode(questions), mimetype="application/json")


@blueprint.post("/courier/days")
def days() -> flask.Response:
    """Every day for which the reviewers' heap still holds something."""
    courier, instance = _authenticate(), here()
    _question(set())
    instance.store.record_visit(courier.id)
    newest = instance.published.now().newest
    counts = [
        {"day": each.day.isoformat(), "envelopes": each.envelopes, "blocks": each.blocks}
        for each in instance.store.days()
    ]
    serial = newest.manifest.serial if newest else 0
    return responses.record({"days": counts, "leapt": instance.clock.leapt, "serial": serial})


@blueprint.post("/courier/ids")
def ids() -> flask.Response:
    """The ids of one day: the first ones behind an id, and whether there are more."""
    _authenticate()
    question = _question({"day", "after"})
    try:
        day, after = schema.day(question["day"]), question["after"]
        behind = bytes.fromhex(schema.hexadecimal(TOKEN)(after)) if after != "" else b""
    except Malformed as error:
        raise _malformed() from error
    stored = here().store.day_ids(day, behind, LISTED)
    lists = {"envelopes": stored.envelopes, "blocks": stored.blocks}
    return responses.record(
        {**{name: [id.hex() for id in each] for name, each in lists.items()}, "more": stored.has_more}
    )


@blueprint.post("/courier/fetch")
def fetch() -> flask.Response:
    """A tar of envelopes and blocks; they are marked as collected before its first byte is sent."""
    _authenticate()
    question, instance = _question({"envelopes", "blocks"}), here()
    try:
        asked = schema.list_of(schema.hexadecimal(TOKEN), FETCH, unique=True)
        envelopes, blocks = ([bytes.fromhex(id) for id in asked(question[kind])] for kind in ("envelopes", "blocks"))
    except Malformed as error:
        raise _malformed() from error
    collected = instance.store.collect(envelopes)
    return flask.Response(_tar(instance.store, collected, blocks), mimetype="application/x-tar")


@blueprint.post("/courier/push")
def push() -> flask.Response:
    """Receive a bundle from a workstation's outbox."""
    _authenticate()
    length = flask.request.content_length or 0
    if length > MAX_PART:
        raise RequestEntityTooLarge
    body = Body(flask.request.stream, length)
    try:
        answer = take(body, bytes.fromhex(flask.request.headers["Whistle-Digest"]), here())
    except Refusal:
        body.drain()
        raise
    except (ProtocolError, Broken) as error:
        body.drain()
        raise Refusal(400, "the bundle is damaged", "copy it to the stick again; nothing of it was stored") from error
    except Full as error:
        body.drain()
        raise Refusal(507, "the server's disk is full", "tell the operator, then push again") from error
    return responses.record(answer)


def _authenticate() -> Courier:
    """The courier who signed the request; Refusal otherwise, counted apart from the couriers' rate."""
    try:
        courier = _signer()
    except Refusal:
        limits.count("page")
        raise
    limits.count("courier", courier.id)  # each by itself: none uses up what the others need
    return courier


def _signer() -> Courier:
    instance = here()
    try:
        signed = instance.published.now().current(instance.today)
    except NoManifest as error:
        raise Refusal(503, "this server has no manifest yet", "the operator installs the first one") from error
    courier = signed.manifest.courier(flask.request.headers.get("Whistle-Courier", ""))
    if courier is None:
        raise Refusal(403, "this courier is not in the manifest", "a root signs a manifest that names it")
    _check_signature(courier, instance)
    return courier


def _check_signature(courier: Courier, instance: Instance) -> None:
    headers = flask.request.headers
    time, digest = headers.get("Whistle-Time", ""), headers.get("Whistle-Digest", "")
    now = int(instance.now().timestamp())
    try:
        if not TIME.fullmatch(time) or not DIGEST.fullmatch(digest):
            raise Malformed("missing or malformed headers")
        signature = schema.unbase64(headers.get("Whistle-Signature", ""))
        key, asked = bytes.fromhex(courier.key), flask.request
        courier_auth.check_request(key, asked.method, asked.path, int(time), digest, signature, now)
    except Expired as error:
        apart = f"the courier's clock and the server's are {abs(now - int(time)) // 60} minutes apart"
        raise Refusal(403, apart, "set the clock, then try again") from error
    except ProtocolError as error:
        raise Refusal(403, "the request is not signed by this courier", "run it with this courier's key") from error


def _question(names: set[str]) -> dict[str, Any]:
    """The JSON body of a signed request, with exactly these names."""
    length = flask.request.content_length or 0
    if length > MAX_QUESTION:
        raise RequestEntityTooLarge
    body, data = Body(flask.request.stream, length), b""
    try:
        while piece := body.read():
            data += piece
        value = canonical.loads(data)
    except (Broken, Malformed) as error:
        raise _malformed() from error
    if hashlib.sha256(data).hexdigest() != flask.request.headers["Whistle-Digest"]:
        raise Refusal(403, "the request is not what was signed", "try again")
    if not isinstance(value, dict) or set(value) != names:
        raise _malformed()
    return value


def _tar(store: Store, envelopes: Sequence[bytes], blocks: Sequence[bytes]) -> Iterator[bytes]:
    # One at a time: whoever reads slowly holds one block and no connection to the database.
    for id in envelopes:
        yield from _member(bundle.envelope_name(id), store.body(id))
    for id in blocks:
        yield from _member(bundle.block_name(id), store.block(id, Heap.REVIEWERS))
    yield tar.END


def _member(name: str, content: bytes | None) -> Iterator[bytes]:
    if content is not None:
        yield tar.header(name, len(content))
        yield content
        if padding := tar.padding(len(content)):
            yield padding


def _published(signed: SignedManifest) -> flask.Response:
    if flask.request.path.endswith(".minisig"):
        return flask.Response(signed.signature, mimetype="text/plain")
    return flask.Response(signed.data, mimetype="application/json")


def _malformed() -> Refusal:
    return Refusal(400, "this server does not know the form of this request", "use the version the operator runs")
