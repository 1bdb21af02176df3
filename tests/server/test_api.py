"""The binary interface of reporters' programs."""

import io
import os
import struct
from collections.abc import Collection, Sequence

import flask
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import parties
from tests.server.visitor import answer
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.message import Slip
from whistle.protocol.code.retrieval import Reporter, message_id
from whistle.protocol.reporter import submission
from whistle.protocol.reporter.reply_validation import ReplyPlace, reply_places
from whistle.server.api import reporter
from whistle.server.instance import Instance
from whistle.server.sealing import arrival
from whistle.store import Full, Heap, Sealed, State

OCTETS = "application/octet-stream"
SIZE = envelope.size(8)
PAD = 262_144


def post(client: FlaskClient, path: str, body: bytes, environ: dict[str, str] | None = None) -> TestResponse:
    """Ask as a program does."""
    return client.post(f"/api/{path}", data=body, content_type=OCTETS, environ_overrides=environ)


def sealed_report(who: Reporter, org: parties.Organisation) -> tuple[bytes, bytes]:
    """A report and its slip, sealed on a device."""
    report = parties.report(who, org)
    shared = {name: getattr(report, name) for name in ("case", "readers", "without", "keys", "sender", "day")}
    slip = Slip(**shared, sealed="device", language="en", channel="harassment")
    slots, own = org.manifest.slots, [who.mailbox.recipient]
    return (
        parties.sealed(message.sign(report, who.signing), org, report.readers),
        envelope.seal(message.sign(slip, who.signing), own, slots, parties.POOL),
    )


def head(who: Reporter, blocks: list[bytes] | None = None) -> bytes:
    """The JSON before a report and its slip."""
    return submission.encode(who.report_token, [], blocks or [])


def entries(data: bytes) -> dict[bytes, tuple[int, int, bytes]]:
    """What an answer to a lookup holds: by id, state, day and body."""
    found, place = {}, 5
    for _ in range(struct.unpack(">I", data[:4])[0]):
        id, state, day, length = struct.unpack(">16sBII", data[place : place + 25])
        place += 25
        found[id] = (state, day, data[place : place + length])
        place += length
    assert not data[place:].strip(b"\0")
    return found


def look(client: FlaskClient, who: Reporter, after: bytes = b"") -> bytes:
    """The answer to a lookup."""
    answered = post(client, "lookup", after + b"".join(who.lookup_ids(8)))
    assert answered.status_code == 200
    return answered.data


def test_a_report_sealed_by_another_manifest(
    client: FlaskClient, instance: Instance, org: parties.Organisation
) -> None:
    """A program that says by which manifest it sealed is refused once a newer one is in force; what is stored stays."""
    body = head(who := parties.reporter()) + b"".join(sealed_report(who, org))
    other = head(late := parties.reporter()) + b"".join(sealed_report(late, org))
    by = {serial: {"HTTP_WHISTLE_MANIFEST": serial} for serial in ("1", "2", "x")}
    assert post(client, "store", body, by["x"]).status_code == 400
    assert post(client, "store", body, by["1"]).status_code == 204
    after = org.next()
    instance.published.install([(after.data, after.signature)])
    refused = post(client, "store", other, by["1"])
    assert refused.status_code == 412 and not instance.store.has(message_id(late.report_token))
    assert post(client, "store", body, by["1"]).status_code == 204  # it came again
    assert post(client, "store", other, by["2"]).status_code == 204


def test_a_report_from_a_device(client: FlaskClient, instance: Instance, org: parties.Organisation) -> None:
    """Blocks, then report and slip; the words then find it, on the same interface and on the pages'."""
    who = parties.reporter()
    sealer = attachment.Sealer()
    blocks, _ = sealer.finish("a", "b")
    for id, block in blocks:
        assert post(client, "block", UPLOAD + id + block).status_code == 204
    ids = [id for id, _ in blocks]
    body = head(who, ids) + b"".join(sealed_report(who, org))
    assert post(client, "store", body).status_code == 204
    assert post(client, "store", body).status_code == 204
    state, day, none = entries(look(client, who))[who.report_id]
    assert (state, day, none) == (0, (parties.DAY - reporter.EPOCH).days, b"")
    slip = entries(look(client, who))[who.slip_id][2]
    assert isinstance(envelope.open_(slip, [who.mailbox], 8).message, Slip)
    view = arrival.view_case(who, instance.published.now(), instance.store, parties.DAY)
    assert view and view.slip and view.state is State.WAITING
    assert instance.store.block(ids[0], Heap.REVIEWERS)


def test_the_reports_own_body_is_never_shown(
    client: FlaskClient, instance: Instance, org: parties.Organisation
) -> None:
    """A lookup shows the report's state, before and after its collection, and never what was written."""
    who = parties.reporter()
    report, slip = sealed_report(who, org)
    post(client, "store", head(who) + report + slip)
    instance.store.collect([who.report_id])
    data = look(client, who)
    assert entries(data)[who.report_id][0] == 1
    assert report[2000:2100] not in data


def test_other_bytes_under_a_token_are_refused(client: FlaskClient, org: parties.Organisation) -> None:
    """Nothing is ever overwritten: another report under the same token is a conflict."""
    who = parties.reporter()
    assert post(client, "store", head(who) + b"".join(sealed_report(who, org))).status_code == 204
    again = post(client, "store", head(who) + b"".join(sealed_report(who, org)))
    assert again.status_code == 409
    assert set(again.get_json()) == {"error", "hint"}
    block = UPLOAD + b"i" * 16 + bytes(attachment.BLOCK)
    assert post(client, "block", block).status_code == 204
    assert post(client, "block", block[:-1] + b"x").status_code == 409


def test_up_to_six_replies_look_like_none(app: flask.Flask, client: FlaskClient, org: parties.Organisation) -> None:
    """Nothing, a report, and six replies give one answer of one length; a seventh gives two such answers."""
    who = parties.reporter()
    assert len(look(client, who)) == PAD
    post(client, "store", head(who) + b"".join(sealed_report(who, org)))
    assert len(look(client, who)) == PAD
    report = parties.report(who, org)
    for n in range(6):
        answer(app, org, who, report, n=n)
    first = look(client, who)
    assert (len(first), first[4], len(entries(first))) == (PAD, 0, 8)
    answer(app, org, who, report, n=6)
    first = look(client, who)
    after = max(entries(first))
    second = look(client, who, after)
    assert (len(first), first[4], len(second), second[4]) == (PAD, 1, PAD, 0)
    assert min(entries(second)) > after and len(entries(first) | entries(second)) == 9


def fill(instance: Instance, who: Reporter, but: Collection[ReplyPlace] = ()) -> bytes:
    """Lay junk into every place of somebody's; returns what each place holds."""
    junk = os.urandom(SIZE)
    ids = [id for id, place in reply_places(who, 8).items() if place not in but]
    instance.store.commit([Sealed(id, Heap.REPORTERS, junk) for id in ids], [])
    return junk


def test_an_answer_is_bounded_whatever_lies_there(client: FlaskClient, instance: Instance) -> None:
    """With junk in all places each answer is as long as one that holds nothing, and further ones bring the rest."""
    who = parties.reporter()
    junk, found, after, asked, more = fill(instance, who), {}, b"", 0, 1
    while more:
        data = look(client, who, after)
        more, after, asked = data[4], max(entries(data)), asked + 1
        assert len(data) == PAD and not found.keys() & entries(data).keys()
        found |= entries(data)
    assert sorted(found) == sorted(set(who.lookup_ids(8)) - {who.report_id, who.slip_id})
    assert {body for _, _, body in found.values()} == {junk} and asked == -(-1024 // 7)


def test_a_slow_reader_holds_one_body_and_no_connection(
    client: FlaskClient, instance: Instance, org: parties.Organisation
) -> None:
    """Bodies and blocks are read when they are sent; in between, nothing of the database is in use."""
    who = parties.reporter()
    fill(instance, who)
    blocks = [os.urandom(16) for _ in range(3)]
    for id in blocks:
        instance.store.put_block(id, id * (PAD // 16), Heap.REPORTERS)
    instance.store.commit([], blocks)
    pool = instance.store.database.engine.pool
    for path, body in (("lookup", b"".join(who.lookup_ids(8))), ("blocks", b"".join(blocks))):
        answered = client.post(f"/api/{path}", data=body, content_type=OCTETS, buffered=False)
        sizes = []
        for piece in answered.iter_encoded():
            sizes.append(len(piece))
            assert pool.checkedout() == 0  # type: ignore[attr-defined]
        assert max(sizes) <= PAD and len(sizes) > 3


def test_what_is_removed_amid_an_answer_is_sent_as_nothing(client: FlaskClient, instance: Instance) -> None:
    """An answer under way keeps its length and form when a body goes that it was about to bring."""
    who, body = parties.reporter(), os.urandom(SIZE)
    instance.store.commit([Sealed(who.report_id, Heap.REVIEWERS, body), Sealed(who.slip_id, Heap.REPORTERS, body)], [])
    answered = client.post("/api/lookup", data=b"".join(who.lookup_ids(8)), content_type=OCTETS, buffered=False)
    assert instance.store.withdraw(who.report_id, who.slip_id) == "withdrawn"
    data = b"".join(answered.iter_encoded())
    assert len(data) == PAD and entries(data)[who.slip_id][2] == b""


def test_blocks_of_replies(client: FlaskClient, instance: Instance) -> None:
    """Blocks to reporters come by id; unknown ones, and those to reviewers, do not."""
    ours, theirs, missing = (bytes([n]) * 16 for n in range(3))
    instance.store.put_block(ours, b"o" * PAD, Heap.REPORTERS)
    instance.store.put_block(theirs, b"t" * PAD, Heap.REVIEWERS)
    instance.store.commit([], [ours, theirs])
    assert post(client, "blocks", missing + ours + theirs).data == b"\0" + b"\1" + b"o" * PAD + b"\0"


def test_withdraw(client: FlaskClient, instance: Instance, org: parties.Organisation) -> None:
    """By the report's token, while nobody has collected it; a follow-up cannot be withdrawn."""
    one, other = parties.reporter(), parties.reporter()
    for who in (one, other):
        post(client, "store", head(who) + b"".join(sealed_report(who, org)))
    instance.store.collect([other.report_id])
    assert post(client, "withdraw", one.report_token).data == b"\0"
    assert entries(look(client, one))[one.report_id][0] == 2
    assert post(client, "withdraw", other.report_token).data == b"\1"
    assert post(client, "withdraw", os.urandom(16)).data == b"\2"
    later, body = one.follow_up_token(bytes(32), bytes(32)), sealed_report(one, org)[0]
    assert post(client, "store", submission.encode(later, [body], [])).status_code == 204
    assert post(client, "withdraw", later).data == b"\2"
    assert instance.store.lookup([message_id(later)])[0].state is State.WAITING


def test_a_missing_block_refuses_the_report(client: FlaskClient, org: parties.Organisation) -> None:
    """A report whose blocks were not put, or were lost since, is not stored, and told apart from what is malformed."""
    who = parties.reporter()
    body = head(who, [b"m" * 16]) + b"".join(sealed_report(who, org))
    assert post(client, "store", body).status_code == 424
    assert entries(look(client, who)) == {}


def test_the_same_report_again_keeps_no_other_blocks(
    client: FlaskClient, instance: Instance, org: parties.Organisation
) -> None:
    """It is never refused and counts towards no limit, so it must add nothing."""
    who, sealed = parties.reporter(), b"".join(sealed_report(parties.reporter(), org))
    assert post(client, "store", head(who) + sealed).status_code == 204
    assert post(client, "block", UPLOAD + b"m" * 16 + bytes(attachment.BLOCK)).status_code == 204
    assert post(client, "store", head(who, [b"m" * 16]) + sealed).status_code == 204
    assert instance.store.block(b"m" * 16) is None and instance.store.unfinished() == 1


def test_a_full_disk_says_so(client: FlaskClient, monkeypatch: pytest.MonkeyPatch, instance: Instance) -> None:
    """No room is told apart from other refusals."""

    def full(*_: object) -> None:
        raise Full("no room")

    monkeypatch.setattr(type(instance.store), "put_block", full)
    assert post(client, "block", bytes(32 + PAD)).status_code == 507


UPLOAD = b"u" * 16
WHO = parties.reporter()
IDS = WHO.lookup_ids(8)
ENVELOPE = sealed_report(WHO, parties.organisation())[0]
TOKEN = b"0123456789abcdef0123456789abcdef"
HEAD = b'{"blocks":[],"token":"%s"}' % TOKEN
WRONG = {
    "block_short": ("block", bytes(32 + PAD - 1), 400),
    "block_long": ("block", bytes(32 + PAD + 1), 413),
    "store_empty": ("store", b"", 400),
    "store_not_an_envelope": ("store", HEAD + b"\n" + bytes(SIZE), 400),
    "store_no_newline": ("store", HEAD + ENVELOPE, 400),
    "store_no_envelope": ("store", HEAD + b"\n", 400),
    "store_three_envelopes": ("store", HEAD + b"\n" + ENVELOPE * 3, 400),
    "store_no_token": ("store", HEAD.replace(b'"token":"%s"' % TOKEN, b'"token":""') + b"\n" + ENVELOPE, 400),
    "store_tokens": ("store", HEAD.replace(b'"%s"' % TOKEN, b'["%s"]' % TOKEN) + b"\n" + ENVELOPE, 400),
    "store_not_canonical": ("store", HEAD.replace(b":", b": ") + b"\n" + ENVELOPE, 400),
    "store_more_fields": ("store", HEAD.replace(b"}", b',"x":1}') + b"\n" + ENVELOPE, 400),
    "lookup_one_less": ("lookup", b"".join(IDS[:-1]), 400),
    "lookup_two_more": ("lookup", b"".join([IDS[0], *IDS, b"\xff" * 16]), 413),
    "lookup_a_part_more": ("lookup", b"".join([b"x", *IDS]), 400),
    "lookup_unsorted": ("lookup", b"".join(reversed(IDS)), 400),
    "lookup_repeated": ("lookup", b"".join([IDS[0], *IDS[:-1]]), 400),
    "blocks_none": ("blocks", b"", 400),
    "blocks_cut": ("blocks", bytes(17), 400),
    "blocks_many": ("blocks", bytes(65 * 16), 413),
    "withdraw_none": ("withdraw", b"", 400),
    "withdraw_two": ("withdraw", bytes(32), 413),
}


@pytest.mark.parametrize(("path", "body", "status"), WRONG.values(), ids=WRONG)
def test_every_other_size_and_form_is_refused(client: FlaskClient, path: str, body: bytes, status: int) -> None:
    """Whatever is not exactly of the known form is refused with an error and a hint, in JSON."""
    answered = post(client, path, body)
    assert answered.status_code == status
    assert set(answered.get_json()) == {"error", "hint"}


def test_only_octets_and_only_post(client: FlaskClient) -> None:
    """A form of another site's page cannot be one of these requests, and nothing is answered by GET."""
    assert client.post("/api/lookup", data=b"".join(IDS), content_type="text/plain").status_code == 415
    assert all(client.get(f"/api/{path}").status_code == 405 for path in ("block", "store", "lookup", "blocks"))


def test_a_lookup_that_breaks_off_is_refused(app: flask.Flask) -> None:
    """A body that ends early, has no length or one that is no number is not of the known form."""
    whole = b"".join(IDS)
    with app.test_client() as client:
        short = client.open("/api/lookup", method="POST", input_stream=io.BytesIO(whole[:-1]),
                            content_type=OCTETS, content_length=len(whole))  # fmt: skip
        chunked = post(client, "lookup", whole, {"HTTP_TRANSFER_ENCODING": "chunked"})
        nonsense = post(client, "lookup", whole, {"CONTENT_LENGTH": "many"})
    assert [each.status_code for each in (short, chunked, nonsense)] == [400, 411, 400]
    assert all(set(each.get_json()) == {"error", "hint"} for each in (short, chunked, nonsense))


def test_a_lookup_at_a_store_that_fails_tells_nothing(
    client: FlaskClient, instance: Instance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The program is told to turn to the operator, whose log names the fault's kind and place, and no id."""

    def fails(ids: Sequence[bytes], **_: object) -> None:
        raise ValueError(ids[0].hex())

    monkeypatch.setattr(instance.store, "lookup", fails)
    answered = look_at(client)
    assert answered.status_code == 500
    assert answered.get_json() == {"error": "internal server error", "hint": "tell the operator"}
    assert answered.headers["Cache-Control"] == "no-store"
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("ValueError at ") and IDS[0].hex() not in line


def look_at(client: FlaskClient) -> TestResponse:
    """A lookup with ids under which nothing lies."""
    return post(client, "lookup", b"".join(IDS))


def test_a_lookup_has_the_headers_of_every_answer(client: FlaskClient) -> None:
    """What stands in front of Flask is not in front of what every answer needs."""
    seen = look_at(client).headers
    assert {"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"} <= set(seen.keys())
    assert (seen["Content-Type"], seen["Content-Length"], seen["Cache-Control"]) == (OCTETS, str(PAD), "no-store")
