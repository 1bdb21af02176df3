"""Vectors of what couriers carry: bundles, statements of import, and the requests that they sign."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.making import cast
from tests.making.cast import COURIER, DAY
from tests.making.vector import Vector, secret
from whistle.protocol import canonical
from whistle.protocol.transfer import bundle, courier_auth, statement, tar

ENVELOPE = b"\x01" * 8192
FILES = {
    "manifest.json": b"{}",
    "manifest.json.minisig": b"signature",
    bundle.envelope_name(b"\x0a" * 16): ENVELOPE,
}
FIRST = bundle.envelope_name(b"\x0a" * 16)
Change = Callable[[dict[str, Any]], Any]


def _member(name: str, data: bytes) -> bundle.Member:
    kind = DAY if name.startswith("envelopes/") else None
    return bundle.Member(name, len(data), hashlib.sha256(data).digest(), kind)


LISTING = bundle.Listing("workstation", DAY, tuple(_member(name, data) for name, data in FILES.items()), 1, 1)


def _packed(listing: bundle.Listing, files: dict[str, bytes]) -> bytes:
    return b"".join(bundle.stream(listing, lambda member: [files[member.name]]))


def _archive(*members: tuple[str, bytes]) -> bytes:
    """A tar file with any members, in the form of SPEC 8.1."""
    return b"".join(tar.header(name, len(data)) + data + tar.padding(len(data)) for name, data in members) + tar.END


def _listed(change: Change) -> bytes:
    """Good members behind a list that was changed."""
    record = canonical.loads(LISTING.to_bytes())
    change(record)
    return _archive((bundle.LISTING, canonical.dumps(record)), *FILES.items())


def _stated(record: dict[str, Any]) -> None:
    record["imports"] = [statement.sign("ombuds", DAY, bytes(32), cast.SIGNERS["ombuds"].signing).record()]


def _to_server(change: Change) -> bytes:
    """A bundle to a server with an envelope for the reporters' heap, its list changed."""
    envelope = bundle.Member(FIRST, 8192, hashlib.sha256(ENVELOPE).digest(), None, "reporters")
    record = canonical.loads(bundle.Listing("server", DAY, (envelope,), 1, 1).to_bytes())
    change(record)
    return _archive((bundle.LISTING, canonical.dumps(record)), (FIRST, ENVELOPE))


def _at(place: int, **changes: Any) -> Change:
    return lambda record: record["members"][place].update(changes)


def _header(offset: int, value: bytes) -> bytes:
    """A valid bundle with bytes changed in the tar header of its first envelope, and the checksum corrected."""
    data = bytearray(_packed(LISTING, FILES))
    start = data.index(FIRST.encode() + b"\0")
    header = data[start : start + 512]
    header[offset : offset + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    data[start : start + 512] = header
    return bytes(data)


def _good() -> Iterator[tuple[str, str, bytes]]:
    yield "to_workstation", "to the workstation, with manifest and envelopes", _packed(LISTING, FILES)
    yield "nothing", "nothing at all", _packed(bundle.Listing("workstation", DAY, (), 1, 1), {})
    heaps = {
        name: bundle.Member(name, 8192, hashlib.sha256(FILES[name]).digest(), None, "reporters") for name in (FIRST,)
    }
    held = statement.day_hash([(b"\x0a" * 16, hashlib.sha256(ENVELOPE).digest())])
    stated = statement.sign("ombuds", DAY, held, cast.SIGNERS["ombuds"].signing)
    out = bundle.Listing("server", DAY, tuple(heaps.values()), 2, 3, imports=(stated,))
    yield "to_server", "to the server, part 2 of 3, with a statement", _packed(out, FILES)
    told = bundle.Listing("workstation", DAY, (), 1, 1, taken=(b"\x0c" * 16,), stored=(b"\x0d" * 16, b"\x0e" * 16))
    yield "receipts", "with places that were taken and ids that are stored", _packed(told, {})


HONEST = _packed(LISTING, FILES)
BAD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("no byte", lambda: b""),
    "no_list": ("members without a list", lambda: _archive(*FILES.items())),
    "only_an_end": ("an end and nothing before it", lambda: tar.END),
    "list_not_first": ("the list behind a member", lambda: _archive(("manifest.json", b"{}"), (bundle.LISTING, b"{}"))),
    "list_not_canonical": ("a space behind the list", lambda: _archive((bundle.LISTING, LISTING.to_bytes() + b" "))),
    "extra_member": (
        "a member that is not listed",
        lambda: HONEST[:-1024] + tar.header("blocks/" + "d" * 32, 0) + tar.END,
    ),
    "missing_member": (
        "a listed member is missing",
        lambda: _archive((bundle.LISTING, LISTING.to_bytes()), *list(FILES.items())[:-1]),
    ),
    "repeated_member": ("a member twice", lambda: HONEST[:-1024] + tar.header(FIRST, 8192) + ENVELOPE + tar.END),
    "swapped_members": (
        "members in another order",
        lambda: _archive((bundle.LISTING, LISTING.to_bytes()), *reversed(FILES.items())),
    ),
    "altered_member": ("a byte of a member altered", lambda: HONEST.replace(b"\1\1\1\1", b"\1\1\1\0", 1)),
    "listed_twice": ("a member listed twice", lambda: _listed(lambda r: r["members"].insert(2, r["members"][2]))),
    "out_of_order": ("a list out of order", lambda: _listed(lambda record: record["members"].reverse())),
    "wrong_size": ("another size in the list", lambda: _listed(_at(2, size=12288))),
    "impossible_size": ("a size that no envelope has", lambda: _listed(_at(2, size=8191))),
    "wrong_hash": ("another hash in the list", lambda: _listed(_at(2, sha256="0" * 64))),
    "unknown_field": ("a field that no list has", lambda: _listed(lambda record: record.update(more=1))),
    "unknown_field_of_member": ("a field that no member has", lambda: _listed(_at(0, mode=1))),
    "empty_taken": ("an empty list stands there", lambda: _listed(lambda record: record.update(taken=[]))),
    "version_2": ("version 2", lambda: _listed(lambda record: record.update(v=2))),
    "version_true": ("true for the version", lambda: _listed(lambda record: record.update(v=True))),
    "destination": ("to somewhere else", lambda: _listed(lambda record: record.update(to="reporter"))),
    "heap": ("to a heap that there is not", lambda: _listed(_at(2, heap="mine"))),
    "manifest_with_day": ("a day of a manifest", lambda: _listed(_at(0, day="2026-11-22"))),
    "heap_to_workstation": ("a heap on the way to a workstation", lambda: _listed(_at(2, heap="reviewers"))),
    "imports_to_workstation": ("statements on the way to a workstation", lambda: _listed(_stated)),
    "day_to_server": ("a day on the way to a server", lambda: _to_server(_at(0, day="2026-11-22"))),
    "stored_to_server": ("receipts on the way to a server", lambda: _to_server(lambda r: r.update(stored=["0d" * 16]))),
    "part_2_of_1": ("a part beyond the last", lambda: _listed(lambda record: record.update(part=2))),
    "path_upwards": ("a path upwards", lambda: _listed(_at(0, name="../manifest.json"))),
    "path_absolute": ("an absolute path", lambda: _listed(_at(0, name="/manifest.json"))),
    "other_name": ("a name that no bundle has", lambda: _listed(_at(0, name="autorun.inf"))),
    "manifest_without_signature": ("a manifest alone", lambda: _listed(lambda record: record["members"].pop(1))),
    "statement_other_form": (
        "a statement with a field more",
        lambda: _listed(
            lambda r: r.update(imports=[{"reviewer": "a", "day": "2026-11-22", "hash": "", "signature": ""}])
        ),
    ),
    "cut_off_in_member": ("cut off in a member", lambda: HONEST[:-9000]),
    "cut_off_at_end": ("cut off by a byte", lambda: HONEST[:-1]),
    "half_an_end": ("half an end", lambda: HONEST[:-512]),
    "byte_behind": ("a byte behind the end", lambda: HONEST + b"\0"),
    "bundle_behind": ("another bundle behind the end", lambda: HONEST + _packed(LISTING, FILES)),
    "hidden_in_padding": (
        "a byte in the padding",
        lambda: HONEST.replace(b"{}" + bytes(16), b"{}" + bytes(15) + b"x", 1),
    ),
    "link": ("a symbolic link", lambda: _header(156, b"2")),
    "folder": ("a folder", lambda: _header(156, b"5")),
    "pax": ("an extended header", lambda: _header(156, b"x")),
    "mode": ("another mode", lambda: _header(100, b"0000755\0")),
    "owner": ("an owner", lambda: _header(108, b"0001750\0")),
    "date": ("a date", lambda: _header(136, b"00000000001\0")),
    "checksum": ("a wrong checksum of a tar header", lambda: HONEST.replace(b"0000644\0", b"0000645\0", 1)),
    "gzip": ("compressed", lambda: b"\x1f\x8b" + bytes(600)),
}


def bundles() -> Iterator[Vector]:
    """Bundles, each of which is accepted or refused as a whole."""
    for name, about, data in _good():
        file = f"bundle_{name}.tar"
        names = [member.name for member in bundle.parse(_list_of(data)).members]
        yield Vector(f"bundle_{name}", about, "ok", {"bundle": {"file": file}}, {"names": names}, {file: data})
    for name, (about, make) in BAD.items():
        file = f"bundle_bad_{name}.tar"
        yield Vector(f"bundle_bad_{name}", about, "malformed", {"bundle": {"file": file}}, {}, {file: make()})


def _list_of(data: bytes) -> bytes:
    return data[512 : 512 + int(data[124:135], 8)]


def statements() -> Iterator[Vector]:
    """Statements of what a workstation holds of one server day."""
    three = [(secret(f"id {place}", 16), secret(f"content {place}", 32)) for place in range(3)]
    altered = [*three[:2], (three[2][0], secret("other content", 32))]
    same_id = [three[0], (three[0][0], three[1][1])]
    held = {
        "three": ("of three things", three),
        "other_order": ("of the same in another order", three[::-1]),
        "altered": ("of three things, one of them altered", altered),
        "same_id": ("of an envelope and a block of one id", same_id),
        "none": ("of nothing", []),
    }
    for name, (about, pairs) in held.items():
        given = {"held": [[id.hex(), sha256.hex()] for id, sha256 in pairs]}
        yield Vector(f"dayhash_{name}", about, "ok", given, {"hash": statement.day_hash(pairs).hex()})
    signer = cast.SIGNERS["ombuds"]
    good = statement.sign("ombuds", DAY, statement.day_hash(three), signer.signing).record()
    cases: dict[str, tuple[str, str, dict[str, Any]]] = {
        "ok": ("a good one", "ok", good),
        "other_reviewer": ("in another's name", "forged", {**good, "reviewer": "ethics"}),
        "other_day": ("for another day", "forged", {**good, "day": "2026-11-23"}),
        "other_hash": ("of other ids", "forged", {**good, "hash": "00" * 32}),
        "bad_more": ("a field more", "malformed", {**good, "case": "x"}),
        "bad_missing": ("no signature", "malformed", {name: good[name] for name in ("reviewer", "day", "hash")}),
        "bad_reviewer_number": ("a number for a reviewer", "malformed", {**good, "reviewer": 5}),
        "bad_reviewer_upper_case": ("a reviewer in capitals", "malformed", {**good, "reviewer": "Ombuds"}),
        "bad_hash_upper_case": ("a hash in capitals", "malformed", {**good, "hash": "AB" * 32}),
        "bad_hash_short": ("a hash of 31 bytes", "malformed", {**good, "hash": "ab" * 31}),
        "bad_day": ("a day by its week", "malformed", {**good, "day": "2026-W47-7"}),
        "bad_signature": ("a signature of 63 bytes", "malformed", {**good, "signature": cast.base64_of(bytes(63))}),
    }
    for name, (about, expect, record) in cases.items():
        given = {"record": record, "key": signer.public.key.hex()}
        yield Vector(f"statement_{name}", about, expect, given)


def requests() -> Iterator[Vector]:
    """Signatures of a courier over its requests."""
    time, digest = 1_795_348_800, courier_auth.digest(b"{}")
    signature = courier_auth.sign_request(COURIER, "POST", "/courier/days", time, digest)
    good: dict[str, Any] = {
        "method": "POST",
        "path": "/courier/days",
        "time": time,
        "digest": digest,
        "signature": signature.hex(),
        "key": bytes(COURIER.verify_key).hex(),
        "now": time + 300,
    }
    cases: dict[str, tuple[str, str, dict[str, Any]]] = {
        "ok": ("300 seconds late", "ok", {}),
        "ok_ahead": ("300 seconds early", "ok", {"now": time - 300}),
        "late": ("301 seconds late", "expired", {"now": time + 301}),
        "early": ("301 seconds early", "expired", {"now": time - 301}),
        "other_method": ("another method", "forged", {"method": "GET"}),
        "other_path": ("another path", "forged", {"path": "/courier/ids"}),
        "other_time": ("another time", "forged", {"time": time + 1}),
        "other_digest": ("another body", "forged", {"digest": courier_auth.digest(b"[]")}),
        "other_key": ("another courier", "forged", {"key": cast.SIGNERS["ombuds"].public.key.hex()}),
        "path_line_end": ("a line end in the path", "malformed", {"path": "/courier/days\n"}),
        "digest_upper_case": ("a digest in capitals", "malformed", {"digest": digest.upper()}),
        "time_negative": ("a time before 1970", "malformed", {"time": -1}),
        "signature_short": ("a signature of 63 bytes", "malformed", {"signature": signature.hex()[2:]}),
        "key_small_order": ("a key of small order", "malformed", {"key": "01" + "00" * 31}),
    }
    for name, (about, expect, changes) in cases.items():
        yield Vector(f"request_{name}", about, expect, {**good, **changes})


def vectors() -> Iterator[Vector]:
    """All of this module."""
    for group in (bundles, statements, requests):
        yield from group()
