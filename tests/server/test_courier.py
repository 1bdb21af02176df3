"""What couriers ask, and what they bring."""

import base64
import dataclasses
import datetime
import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from nacl.signing import SigningKey
from werkzeug.test import TestResponse

from tests import parties
from tests.server.test_receiving import on_disk
from tests.server.visitor import Clock, config, site, still, turn
from whistle.protocol import canonical
from whistle.protocol.case import envelope, message
from whistle.protocol.transfer import bundle, courier_auth, statement, tar
from whistle.protocol.transfer.bundle import Member
from whistle.protocol.transfer.listing import Listing
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.api import bundle_push, courier
from whistle.server.config import Rate
from whistle.server.instance import Instance
from whistle.store import Heap, Sealed, State, Taken, retention

DAY = parties.DAY
SIZE = envelope.size(8)
BLOCK = bundle.BLOCK
Content = tuple[Member, bytes]


def noon(day: datetime.date = DAY) -> int:
    """The server's time in seconds."""
    return int(datetime.datetime.combine(day, datetime.time(12), datetime.UTC).timestamp())


class Carrier:
    """A courier with its key."""

    def __init__(self, client: FlaskClient, org: parties.Organisation, **wrong: Any) -> None:
        self.client = client
        self.wrong = {"id": "courier", "time": noon(), "key": org.courier, **wrong}

    def send(self, path: str, body: bytes, digest: str | None = None, **more: Any) -> TestResponse:
        """A signed request."""
        digest = digest or hashlib.sha256(body).hexdigest()
        time = self.wrong["time"]
        signature = courier_auth.sign_request(self.wrong["key"], "POST", self.wrong.get("path", path), time, digest)
        headers = {
            "Whistle-Courier": self.wrong["id"],
            "Whistle-Time": self.wrong.get("spelling", "{}").format(time),
            "Whistle-Digest": digest,
            "Whistle-Signature": base64.b64encode(signature).decode(),
        }
        return self.client.post(path, data=body, headers=headers, **more)

    def ask(self, path: str, question: object) -> Any:
        """The answer to a question."""
        answered = self.send(f"/courier/{path}", canonical.dumps(question))
        assert answered.status_code == 200, answered.data
        return answered.get_json()

    def fetch(self, envelopes: Sequence[bytes] = (), blocks: Sequence[bytes] = ()) -> dict[str, bytes]:
        """What a fetch brings, by name."""
        question = {"envelopes": [id.hex() for id in envelopes], "blocks": [id.hex() for id in blocks]}
        answered = self.send("/courier/fetch", canonical.dumps(question))
        assert answered.status_code == 200
        reader, found = tar.Reader(io.BytesIO(answered.data)), {}
        while entry := reader.next():
            found[entry.name] = b"".join(entry.pieces())
        return found

    def push(self, listing: Listing, contents: Sequence[Content], cut: int | None = None) -> TestResponse:
        """Bring a bundle."""
        by_name = {member.name: data for member, data in contents}
        whole = b"".join(bundle.stream(listing, lambda member: [by_name[member.name]]))
        return self.send("/courier/push", whole[:cut], hashlib.sha256(listing.to_bytes()).hexdigest())


@pytest.fixture
def carrier(client: FlaskClient, org: parties.Organisation) -> Carrier:
    """The courier of the manifest."""
    return Carrier(client, org)


def listing(contents: Sequence[Content], **changes: Any) -> Listing:
    """The list of an outbox bundle."""
    ordered = tuple(sorted((member for member, _ in contents), key=lambda member: bundle.rank(member.name)))
    return dataclasses.replace(Listing("server", DAY, ordered, 1, 1), **changes)


def sealed(org: parties.Organisation, heap: str = "reporters", id: bytes | None = None) -> Content:
    """Some envelope."""
    who = parties.reporter()
    body = parties.sealed(message.sign(parties.report(who, org), who.signing), org, ("ombuds",))
    return bundle.member(bundle.envelope_name(id or os.urandom(16)), body, heap=heap), body  # type: ignore[arg-type]


def block(id: bytes, heap: str = "reporters") -> Content:
    """Some block."""
    data = os.urandom(16) * (BLOCK // 16)
    return bundle.member(bundle.block_name(id), data, heap=heap), data  # type: ignore[arg-type]


def files(known: SignedManifest) -> list[Content]:
    """A manifest and its signature as members."""
    name = "manifest.json"
    given = {name: known.data, f"{name}.minisig": known.signature}
    return [(bundle.member(name, data), data) for name, data in given.items()]


def arrive(instance: Instance, org: parties.Organisation) -> tuple[bytes, bytes]:
    """An envelope to reviewers and a block, stored today; their ids."""
    id, other = os.urandom(16), os.urandom(16)
    instance.store.put_block(other, bytes(BLOCK), Heap.REVIEWERS)
    instance.store.commit([Sealed(id, Heap.REVIEWERS, sealed(org)[1])], [other])
    return id, other


def test_the_manifest_in_force_is_public(
    client: FlaskClient, instance: Instance, org: parties.Organisation, clock: Clock
) -> None:
    """The manifest of the day and every other by its serial, with signatures."""
    second = org.next(begins=DAY + datetime.timedelta(days=1))
    instance.published.install([(second.data, second.signature)])
    assert client.get("/manifest.json").data == org.known.data
    assert client.get("/manifest.json.minisig").data == org.known.signature
    assert client.get("/manifest-2.json").data == second.data
    assert client.get("/manifest-2.json.minisig").data == second.signature
    assert client.get("/manifest-3.json").status_code == 404
    clock.day += datetime.timedelta(days=1)
    assert client.get("/manifest.json").data == second.data


def test_days_ids_and_fetch(carrier: Carrier, instance: Instance, org: parties.Organisation) -> None:
    """What there is, by day; what it is called; and all of it as a tar, with unknown ids left out."""
    id, other = arrive(instance, org)
    held = {"day": "2026-11-22", "envelopes": 1, "blocks": 1}
    assert carrier.ask("days", {}) == {"days": [held], "leapt": False, "serial": 1}
    assert instance.store.last_visit() == DAY
    asked = {"day": "2026-11-22", "after": ""}
    assert carrier.ask("ids", asked) == {"envelopes": [id.hex()], "blocks": [other.hex()], "more": False}
    nothing = {"envelopes": [], "blocks": [], "more": False}
    assert (
        carrier.ask("ids", asked | {"after": "ff" * 16}) == carrier.ask("ids", asked | {"day": "2026-11-21"}) == nothing
    )
    found = carrier.fetch([id, os.urandom(16)], [other, os.urandom(16)])
    assert set(found) == {bundle.envelope_name(id), bundle.block_name(other)}
    assert found[bundle.block_name(other)] == bytes(BLOCK)


def test_a_list_comes_in_pieces(
    carrier: Carrier, instance: Instance, org: parties.Organisation, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much a day brought, one answer names a bounded number of ids; all come once, settled or not."""
    monkeypatch.setattr(courier, "LISTED", 3)
    pairs = [arrive(instance, org) for _ in range(4)]
    twin = pairs[0][0]  # the same 16 bytes may name an envelope and a block
    instance.store.put_block(twin, bytes(BLOCK), Heap.REVIEWERS)
    instance.store.commit([], [twin])
    instance.store.collect([pairs[1][0]])
    expected = sorted(id for id, _ in pairs), sorted([twin, *(block for _, block in pairs)])
    for _ in range(2):
        found: tuple[list[bytes], list[bytes]] = ([], [])
        answer, after = {"more": True}, ""
        while answer["more"]:
            answer = carrier.ask("ids", {"day": DAY.isoformat(), "after": after})
            lists = [bytes.fromhex(id) for id in answer["envelopes"]], [bytes.fromhex(id) for id in answer["blocks"]]
            assert 0 < len([*lists[0], *lists[1]]) <= 4
            after = max([*lists[0], *lists[1]]).hex()
            found[0].extend(lists[0])
            found[1].extend(lists[1])
        assert found == expected
        turn(instance, DAY + datetime.timedelta(days=1))
        instance.store.turn_over()
        carrier.wrong["time"] = noon(clock.day)


def test_a_slow_courier_holds_one_block_and_no_connection(
    carrier: Carrier, instance: Instance, org: parties.Organisation
) -> None:
    """A tar is read as it is sent; in between, nothing of the database is in use."""
    pairs = [arrive(instance, org) for _ in range(3)]
    question = {"envelopes": [id.hex() for id, _ in pairs], "blocks": [id.hex() for _, id in pairs]}
    answered = carrier.send("/courier/fetch", canonical.dumps(question), buffered=False)
    pool, sizes = instance.store.database.engine.pool, []
    for piece in answered.iter_encoded():
        sizes.append(len(piece))
        assert pool.checkedout() == 0  # type: ignore[attr-defined]
    assert max(sizes) == BLOCK and len(sizes) > 6


def test_collected_before_the_first_byte(carrier: Carrier, instance: Instance, org: parties.Organisation) -> None:
    """What is asked for counts as collected even if the courier goes away before reading any of it."""
    id, _ = arrive(instance, org)
    question = canonical.dumps({"envelopes": [id.hex()], "blocks": []})
    answered = carrier.send("/courier/fetch", question)
    assert instance.store.lookup([id])[0].state is State.COLLECTED
    answered.close()


def test_nothing_of_reporters_is_fetched(carrier: Carrier, instance: Instance, org: parties.Organisation) -> None:
    """A courier gets nothing of the reporters' heap, whatever ids it knows."""
    id, other = os.urandom(16), os.urandom(16)
    instance.store.put_block(other, bytes(BLOCK), Heap.REPORTERS)
    instance.store.commit([Sealed(id, Heap.REPORTERS, sealed(org)[1])], [other])
    assert carrier.ask("days", {})["days"] == []
    assert carrier.fetch([id], [other]) == {}
    assert instance.store.lookup([id])[0].state is State.WAITING


IMPOSTORS: dict[str, dict[str, Any]] = {
    "unknown_courier": {"id": "stranger"},
    "another_key": {"key": SigningKey.generate()},
    "six_minutes_old": {"time": noon() - 360},
    "six_minutes_ahead": {"time": noon() + 360},
    "signed_for_another_path": {"path": "/courier/ids"},
}


@pytest.mark.parametrize("wrong", IMPOSTORS.values(), ids=IMPOSTORS)
def test_nobody_else_is_answered(client: FlaskClient, org: parties.Organisation, wrong: dict[str, Any]) -> None:
    """A request that this courier did not sign, here and now, is refused."""
    answered = Carrier(client, org, **wrong).send("/courier/days", b"{}")
    assert answered.status_code == 403
    assert set(answered.get_json()) == {"error", "hint"}


def test_strangers_do_not_lock_a_courier_out(tmp_path: Path, org: parties.Organisation) -> None:
    """However many requests come that no courier signed, a courier is answered."""
    app = still(site(tmp_path, org, rates={**config(tmp_path).rates, "courier": Rate("2 per hour", "2 per hour")}))
    client = app.test_client()
    assert [client.post("/courier/days", data=b"{}").status_code for _ in range(5)] == [403] * 5
    carrier = Carrier(client, org)
    assert [carrier.send("/courier/days", b"{}").status_code for _ in range(3)] == [200, 200, 429]


def test_a_courier_does_not_lock_another_out(tmp_path: Path, org: parties.Organisation) -> None:
    """Each courier has a limit of its own: what one asks in vain leaves the other as it was."""
    other = SigningKey.generate()
    courier = dataclasses.replace(org.manifest.couriers[0], id="other", key=bytes(other.verify_key).hex())
    org = dataclasses.replace(org, known=org.sign(couriers=(*org.manifest.couriers, courier)))
    app = still(site(tmp_path, org, rates={**config(tmp_path).rates, "courier": Rate("2 per hour", "2 per hour")}))
    first, second = Carrier(app.test_client(), org), Carrier(app.test_client(), org, id="other", key=other)
    assert [first.send("/courier/days", b"{}").status_code for _ in range(4)] == [200, 200, 429, 429]
    assert [second.send("/courier/days", b"{}").status_code for _ in range(3)] == [200, 200, 429]


def test_headers_of_another_form_are_refused(client: FlaskClient, carrier: Carrier) -> None:
    """No headers, and headers that are no signature, are refused like any impostor."""
    assert client.post("/courier/days", data=b"{}").status_code == 403
    wrong = {"Whistle-Courier": "courier", "Whistle-Time": "x", "Whistle-Digest": "y", "Whistle-Signature": "é"}
    assert client.post("/courier/days", data=b"{}", headers=wrong).status_code == 403
    wrong |= {"Whistle-Time": str(noon()), "Whistle-Digest": hashlib.sha256(b"{}").hexdigest()}
    assert client.post("/courier/days", data=b"{}", headers=wrong).status_code == 403


def test_a_body_that_was_not_signed_is_refused(carrier: Carrier) -> None:
    """The body must be the one whose digest was signed, and of the known form."""
    digest = hashlib.sha256(b"{}").hexdigest()
    assert carrier.send("/courier/days", b'{"x":1}', digest).status_code == 403
    assert carrier.send("/courier/days", b'{"x":1}').status_code == 400
    for wrong in (
        b'{"after":"","day":"yesterday"}',
        b'{"after":"", "day":"2026-11-22"}',
        b'{"day":"2026-11-22"}',
        b'{"after":"00","day":"2026-11-22"}',
        b'{"after":0,"day":"2026-11-22"}',
    ):
        assert carrier.send("/courier/ids", wrong).status_code == 400
    many = canonical.dumps({"envelopes": [os.urandom(16).hex() for _ in range(501)], "blocks": []})
    assert carrier.send("/courier/fetch", many).status_code == 400
    nonsense = tar.header(bundle.LISTING, 512) + b"[" * 512 + tar.END  # which nobody reads before it is the signed one
    assert carrier.send("/courier/push", nonsense, digest).status_code == 403
    assert carrier.send("/courier/push", nonsense, hashlib.sha256(b"[" * 512).hexdigest()).status_code == 400


def test_nothing_before_the_first_manifest(carrier: Carrier, instance: Instance, clock: Clock) -> None:
    """Until a manifest is in force couriers get 503, and there is none to show."""
    clock.day = DAY - datetime.timedelta(days=8)
    for path in ("days", "ids", "fetch", "push"):
        assert carrier.send(f"/courier/{path}", b"{}").status_code == 503
    assert carrier.client.get("/manifest.json").status_code == 404


def test_push_stores_once(carrier: Carrier, instance: Instance, org: parties.Organisation) -> None:
    """Envelopes and blocks go to the heaps that the list names; the same again is the same."""
    reply, copy, piece = sealed(org), sealed(org, "reviewers"), block(os.urandom(16))
    contents = [reply, copy, piece]
    answered = carrier.push(listing(contents), contents).get_json()
    ids = sorted(member.id.hex() for member, _ in (reply, copy) if member.id)
    assert answered == {"stored": ids, "same": [], "taken": [], "manifest": "none", "imports": 0}
    again = carrier.push(listing(contents), contents).get_json()
    assert again == {"stored": [], "same": ids, "taken": [], "manifest": "none", "imports": 0}
    (found,) = instance.store.lookup([reply[0].id or b""])
    assert (found.heap, found.body, found.day) == (Heap.REPORTERS, reply[1], DAY)
    assert instance.store.block(piece[0].id or b"", Heap.REPORTERS) == piece[1]
    assert [day.envelopes for day in instance.store.days()] == [1]


def test_a_taken_place_does_not_stop_the_others(
    carrier: Carrier, instance: Instance, org: parties.Organisation
) -> None:
    """Replies whose place is taken are named; the rest is stored."""
    place = os.urandom(16)
    first = sealed(org, id=place)
    carrier.push(listing([first]), [first])
    second, other = sealed(org, id=place), sealed(org)
    answered = carrier.push(listing([second, other]), [second, other]).get_json()
    assert answered["taken"] == [place.hex()]
    assert answered["stored"] == [(other[0].id or b"").hex()]
    assert instance.store.lookup([place])[0].body == first[1]


def test_two_new_replies_for_one_place_in_a_race(
    carrier: Carrier, instance: Instance, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that is taken between the lookup and the commit is reported like any other."""
    reply, other = sealed(org), sealed(org)
    commit, calls = type(instance.store).commit, []

    def late(store: Any, *more: Any, **options: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Taken([reply[0].id or b""])
        commit(store, *more, **options)

    monkeypatch.setattr(type(instance.store), "commit", late)
    answered = carrier.push(listing([reply, other]), [reply, other]).get_json()
    assert (answered["taken"], len(answered["stored"])) == ([(reply[0].id or b"").hex()], 1)


def test_a_block_that_somebody_drops_amid_a_push_stops_nothing_else(
    carrier: Carrier, instance: Instance, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who knows the id of a block that is under way can drop it; it is named as taken, and all else is stored."""
    reply, piece, other = sealed(org), block(os.urandom(16)), block(os.urandom(16))
    commit = type(instance.store).commit

    def late(store: Any, *more: Any, **options: Any) -> None:
        assert (
            carrier.client.post("/api/drop", data=piece[0].id, content_type="application/octet-stream").status_code
            == 204
        )
        commit(store, *more, **options)

    monkeypatch.setattr(type(instance.store), "commit", late)
    answered = carrier.push(listing([reply, piece, other]), [reply, piece, other]).get_json()
    assert answered["taken"] == [(piece[0].id or b"").hex()]
    assert answered["stored"] == [(reply[0].id or b"").hex()]
    assert instance.store.block(other[0].id or b"", Heap.REPORTERS) == other[1]


def test_push_refuses_what_is_not_as_listed(carrier: Carrier, instance: Instance, org: parties.Organisation) -> None:
    """A bundle cut anywhere, altered, or for somebody else is refused, and nothing of it is kept."""
    reply, piece = sealed(org), block(os.urandom(16))
    good = listing([reply, piece])
    for cut in (3000, 30_000, -700_000, -1, -1024):
        assert carrier.push(good, [reply, piece], cut).status_code == 400
    whole = b"".join(bundle.stream(good, lambda member: [dict([reply, piece])[member]]))
    altered = whole.replace(reply[1][5000:5020], os.urandom(20))
    digest = hashlib.sha256(good.to_bytes()).hexdigest()
    assert carrier.send("/courier/push", altered, digest).status_code == 400
    assert carrier.send("/courier/push", whole, "00" * 32).status_code == 403
    homeless = (dataclasses.replace(reply[0], heap=None), reply[1])
    assert carrier.push(listing([homeless], to="workstation"), [homeless]).status_code == 400
    assert carrier.push(listing([homeless]), [homeless]).status_code == 400
    junk = (bundle.member(reply[0].name, bytes(SIZE), heap="reporters"), bytes(SIZE))
    assert carrier.push(listing([junk]), [junk]).status_code == 400
    assert not instance.store.has(reply[0].id or b"")
    assert on_disk(instance) == 0


def test_push_is_bounded(
    carrier: Carrier, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch, instance: Instance
) -> None:
    """More envelopes than can be held at once are refused before any is read."""
    monkeypatch.setattr(bundle_push, "MAX_ENVELOPES", SIZE)
    contents = [sealed(org), sealed(org)]
    assert carrier.push(listing(contents), contents).status_code == 413
    assert carrier.push(listing(contents[:1]), contents[:1]).status_code == 200


def test_push_installs_a_manifest(carrier: Carrier, instance: Instance, org: parties.Organisation) -> None:
    """The next manifest is installed, the same again is the same, and another is refused without stopping the rest."""
    second, reply = org.next(), sealed(org)
    contents = [*files(second), reply]
    assert carrier.push(listing(contents), contents).get_json()["manifest"] == "installed"
    assert carrier.push(listing(contents), contents).get_json()["manifest"] == "same"
    wrong = org.sign(serial=4, previous="00" * 32)
    other = sealed(org)
    answered = carrier.push(listing([*files(wrong), other]), [*files(wrong), other]).get_json()
    assert answered["manifest"].startswith("refused: ")
    assert len(answered["stored"]) == 1
    assert instance.published.now().newest and instance.published.now().newest.data == second.data


def test_import_statements(carrier: Carrier, instance: Instance, org: parties.Organisation, clock: Clock) -> None:
    """A statement is kept when its reviewer signed it; it counts when it is of exactly what the server holds."""
    id, other = arrive(instance, org)
    clock.day = DAY + datetime.timedelta(days=1)
    carrier.wrong["time"] = noon(clock.day)
    (first, second), store = hashed(instance, [id, other]), instance.store
    held = statement.day_hash([first, second])
    ombuds, ethics = (org.people[name].secret.signing for name in ("ombuds", "ethics"))
    good = statement.sign("ombuds", DAY, held, ombuds)
    forged = statement.sign("ethics", DAY, held, ombuds)
    partial = statement.sign("ethics", DAY, statement.day_hash([first]), ethics)
    altered = statement.sign("ethics", DAY, statement.day_hash([first, (other, bytes(32))]), ethics)
    answered = carrier.push(listing([], imports=(good, forged, partial, altered)), []).get_json()
    assert answered["imports"] == 3
    store.turn_over()
    turn(instance, clock.day + datetime.timedelta(days=7))
    assert store.remove_due(["ombuds", "ethics"]) == []
    assert store.remove_due(["ethics"]) == []
    assert store.remove_due(["ombuds"]) == [DAY]


def hashed(instance: Instance, ids: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """The ids, each with the SHA-256 of its envelope or block."""
    bodies = [instance.store.body(id) or instance.store.block(id) or b"" for id in ids]
    return [(id, hashlib.sha256(body).digest()) for id, body in zip(ids, bodies, strict=True)]


def test_the_roots_are_published(client: FlaskClient, org: parties.Organisation) -> None:
    """Each root's public key has an address, and no other number has."""
    answered = client.get("/root-1.pub")
    assert (answered.status_code, answered.data) == (200, org.root.public.file())
    assert [client.get(f"/root-{number}.pub").status_code for number in (0, 2)] == [404, 404]


def test_a_manifest_under_another_serials_name_is_refused(
    carrier: Carrier, instance: Instance, org: parties.Organisation
) -> None:
    """What is named after a serial is that manifest, in a bundle and at the server's addresses, in one spelling."""
    named = {member.name.replace("manifest", "manifest-3"): data for member, data in files(org.next())}
    contents = [(bundle.member(name, data), data) for name, data in named.items()]
    assert "another serial than its name" in carrier.push(listing(contents), contents).get_json()["manifest"]
    assert [known.manifest.serial for known in instance.published.now().manifests] == [1]


@pytest.mark.parametrize("path", ["/manifest-01.json", "/manifest-01.json.minisig", "/root-01.pub"])
def test_an_address_has_one_spelling(client: FlaskClient, path: str) -> None:
    """A leading zero is another address, under which there is nothing."""
    assert client.get(path.replace("01", "1")).status_code == 200 and client.get(path).status_code == 404


def test_a_time_has_one_spelling(client: FlaskClient, org: parties.Organisation) -> None:
    """A leading zero in a courier's time is refused, though the number is the signed one."""
    sent = [Carrier(client, org, spelling=spelling).send("/courier/days", b"{}") for spelling in ("{}", "0{}")]
    assert [each.status_code for each in sent] == [200, 403]


def test_many_statements_are_one_transaction(
    carrier: Carrier, instance: Instance, org: parties.Organisation, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reviewer who signs very many statements makes the server write once, and look at each day once."""
    arrive(instance, org)
    clock.day = DAY + datetime.timedelta(days=1)
    carrier.wrong["time"] = noon(clock.day)
    key = org.people["ombuds"].secret.signing
    stated = tuple(statement.sign("ombuds", DAY, bytes([number] * 32), key) for number in range(40))
    looked: list[datetime.date] = []
    whole = retention.has_day
    monkeypatch.setattr(retention, "has_day", lambda connection, day: looked.append(day) or whole(connection, day))
    assert carrier.push(listing([], imports=stated), []).get_json()["imports"] == 40
    assert looked == [DAY]
