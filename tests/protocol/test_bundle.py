"""The bundle: what is written is read, and whatever else somebody hands in is refused whole."""

import datetime
import hashlib
import io
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from whistle.protocol import canonical
from whistle.protocol.errors import Forged, Malformed
from whistle.protocol.transfer import bundle, statement, tar

DAY = datetime.date(2026, 11, 22)
ENVELOPE, BLOCK = b"\x01" * 8192, b"\x02" * bundle.BLOCK
FILES = {
    "manifest.json": b"{}",
    "manifest.json.minisig": b"signature",
    "manifest-1.json": b"{}",
    "manifest-1.json.minisig": b"signature",
    bundle.envelope_name(b"\x0a" * 16): ENVELOPE,
    bundle.envelope_name(b"\x0b" * 16): ENVELOPE[::-1],
    bundle.block_name(b"\x0c" * 16): BLOCK,
}


def member(name: str, data: bytes) -> bundle.Member:
    """A member as an honest writer lists it."""
    return bundle.Member(name, len(data), hashlib.sha256(data).digest(), None if name.startswith("manifest") else DAY)


def listing(files: dict[str, bytes] = FILES) -> bundle.Listing:
    """The list of such files in the order given."""
    return bundle.Listing("workstation", DAY, tuple(member(name, data) for name, data in files.items()), 1, 1)


def packed(written: bundle.Listing | None = None, files: dict[str, bytes] = FILES) -> bytes:
    """An honest bundle."""
    return b"".join(bundle.stream(written or listing(files), lambda member: [files[member.name]]))


def archive(*members: tuple[str, bytes]) -> bytes:
    """A tar file of our own form with any members, bundle.json or not."""
    body = b"".join(tar.header(name, len(data)) + data + tar.padding(len(data)) for name, data in members)
    return body + tar.END


def with_list(change: Callable[[dict[str, object]], object]) -> bytes:
    """A bundle whose list was changed and written again, before the members of an honest one."""
    record = canonical.loads(listing().to_bytes())
    change(record)
    return archive((bundle.LISTING, canonical.dumps(record)), *FILES.items())


def foreign(kind: bytes = tarfile.REGTYPE, form: int = tarfile.USTAR_FORMAT, name: str = "manifest.json") -> bytes:
    """A bundle with one honest list and one member as Python's tarfile writes it."""
    first = packed(listing({}), {})[: -len(tar.END)]
    info = tarfile.TarInfo(name)
    info.type, info.pax_headers = kind, {"comment": "x"}
    info.linkname = "" if kind == tarfile.REGTYPE else bundle.LISTING
    return first + info.tobuf(form) + tar.END


def test_what_is_written_is_read() -> None:
    """List, order and content come back, and a streamed length is the one foretold."""
    data = packed()
    reader = bundle.Reader(io.BytesIO(data))
    assert {member.name: b"".join(body.pieces()) for member, body in reader} == FILES
    assert reader.listing == listing()
    assert len(data) == listing().length()


def test_stock_tar_opens_it(tmp_path: Path) -> None:
    """The system's own tar unpacks a bundle to the same files without a warning."""
    done = subprocess.run(["tar", "-x", "-C", tmp_path], input=packed(), capture_output=True, check=True)
    assert done.stderr == b""
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES


def test_receipts_and_statements_travel() -> None:
    """Taken places, stored ids and signed statements come back as they were given."""
    key = SigningKey.generate()
    signed = statement.sign("counsel", DAY, statement.day_hash([(b"b" * 16, b"h" * 32)]), key)
    told = bundle.Listing("workstation", DAY, (), 2, 3, taken=(b"t" * 16,), stored=(b"r" * 16, b"s" * 16))
    assert bundle.verify(io.BytesIO(packed(told, {}))) == told
    sent = bundle.Listing("server", DAY, (), 2, 3, imports=(signed,))
    received = bundle.verify(io.BytesIO(packed(sent, {})))
    assert received == sent
    received.imports[0].check(bytes(key.verify_key))
    with pytest.raises(Forged):
        statement.ImportStatement("other", DAY, signed.hash, signed.signature).check(bytes(key.verify_key))


def test_a_days_hash_does_not_depend_on_order() -> None:
    """The same ids and contents give the same hash in any order; another id, or another content, gives another."""
    one, two, altered = (b"a" * 16, b"h" * 32), (b"b" * 16, b"h" * 32), (b"b" * 16, b"g" * 32)
    assert statement.day_hash([one, two]) == statement.day_hash([two, one])
    assert len({statement.day_hash(held) for held in ([one], [two], [altered], [one, two], [one, altered])}) == 5


ENVELOPES = [name for name in FILES if name.startswith("envelopes/")]
HONEST = packed()
BAD = {
    "empty": b"",
    "no list": archive(*FILES.items()),
    "only an end": tar.END,
    "extra member": HONEST[:-1024] + tar.header("blocks/" + "d" * 32, 0) + tar.END,
    "extra member that tar knows": archive((bundle.LISTING, listing({}).to_bytes()), ("manifest.json", b"{}")),
    "missing member": archive((bundle.LISTING, listing().to_bytes()), *list(FILES.items())[:-1]),
    "missing in the middle": archive((bundle.LISTING, listing().to_bytes()), *list(FILES.items())[1:]),
    "repeated envelope": HONEST[:-1024] + tar.header(ENVELOPES[0], 8192) + ENVELOPE + tar.END,
    "repeated in the list": with_list(lambda record: record["members"].insert(4, record["members"][4])),  # type: ignore[attr-defined]
    "out of order": with_list(lambda record: record["members"].reverse()),  # type: ignore[attr-defined]
    "wrong size": with_list(lambda record: record["members"][4].update(size=12288)),  # type: ignore[index]
    "impossible size": with_list(lambda record: record["members"][4].update(size=8191)),  # type: ignore[index]
    "wrong hash": with_list(lambda record: record["members"][4].update(sha256="0" * 64)),  # type: ignore[index]
    "unknown field": with_list(lambda record: record.update(more=1)),
    "unknown field of a member": with_list(lambda record: record["members"][0].update(mode=1)),  # type: ignore[index]
    "another version": with_list(lambda record: record.update(v=2)),
    "true for one": with_list(lambda record: record.update(v=True)),
    "part beyond the last": with_list(lambda record: record.update(part=2)),
    "path upwards": with_list(lambda record: record["members"][0].update(name="../manifest.json")),  # type: ignore[index]
    "absolute path": with_list(lambda record: record["members"][0].update(name="/manifest.json")),  # type: ignore[index]
    "other name": with_list(lambda record: record["members"][0].update(name="autorun.inf")),  # type: ignore[index]
    "manifest without signature": with_list(lambda record: record["members"].pop(1)),  # type: ignore[attr-defined]
    "list that is not canonical": archive((bundle.LISTING, listing({}).to_bytes() + b" ")),
    "changed byte": HONEST.replace(b"\x01\x01\x01\x01", b"\x01\x01\x01\x00", 1),
    "truncated in a member": HONEST[:-70_000],
    "truncated at the end": HONEST[:-1],
    "half an end": HONEST[:-512],
    "trailing byte": HONEST + b"\0",
    "trailing data": HONEST + b"x" * 512,
    "another bundle behind": HONEST + HONEST,
    "hidden in the padding": HONEST.replace(b"{}" + bytes(510), b"{}" + bytes(509) + b"x", 1),
    "symbolic link": foreign(tarfile.SYMTYPE),
    "hard link": foreign(tarfile.LNKTYPE),
    "folder": foreign(tarfile.DIRTYPE),
    "fifo": foreign(tarfile.FIFOTYPE),
    "device": foreign(tarfile.CHRTYPE),
    "pax header": foreign(form=tarfile.PAX_FORMAT),
    "GNU header": foreign(form=tarfile.GNU_FORMAT),
    "long GNU name": foreign(form=tarfile.GNU_FORMAT, name="manifest.json" * 10),
    "gzip": b"\x1f\x8b" + bytes(600),
}


@pytest.mark.parametrize("name", BAD)
def test_the_whole_part_is_refused(name: str) -> None:
    """Anything but exactly what the list says is refused as malformed."""
    with pytest.raises(Malformed):
        bundle.verify(io.BytesIO(BAD[name]))


def test_every_bit_of_a_header_counts() -> None:
    """A member's header with any one bit turned is refused."""
    at = packed().index(b"manifest.json\0")
    for bit in range(0, tar.RECORD * 8, 7):
        data = bytearray(packed())
        data[at + bit // 8] ^= 1 << bit % 8
        with pytest.raises(Malformed):
            bundle.verify(io.BytesIO(bytes(data)))


def test_a_member_that_changes_while_it_is_written_is_noticed() -> None:
    """The writer stops rather than end a bundle that its own list does not describe."""
    with pytest.raises(bundle.BundleError):
        b"".join(bundle.stream(listing(), lambda member: [b"\0" * member.size]))


def test_parts_are_split_below_the_limit() -> None:
    """Members stay in order over the parts, none of which is longer than allowed."""
    blocks = {bundle.block_name(i.to_bytes(16, "big")): BLOCK for i in range(64)}
    members = [member(name, data) for name, data in blocks.items()]
    parts = bundle.split(members[::-1], limit=16 * 1024**2)
    assert [each for part in parts for each in part] == members
    assert len(parts) > 1
    for number, part in enumerate(parts, start=1):
        data = packed(bundle.Listing("workstation", DAY, tuple(part), number, len(parts)), blocks)
        assert len(data) <= 16 * 1024**2
        assert bundle.verify(io.BytesIO(data)).of == len(parts)


def test_nothing_still_makes_one_part() -> None:
    """A bundle without members is a bundle, since it may carry receipts."""
    assert bundle.split([]) == [[]]


class Pipe(io.RawIOBase):
    """Reads from an iterator of pieces, giving as little as a socket may."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces: Iterator[bytes] = iter(pieces)
        self.rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes and at most 10,000."""
        self.rest = self.rest or next(self.pieces, b"")
        given, self.rest = self.rest[: min(size, 10_000)], self.rest[min(size, 10_000) :]
        return given


def test_a_long_bundle_streams_in_constant_memory() -> None:
    """64 MiB of blocks are written and read with less than 4 MiB held at any time."""
    one = hashlib.sha256(BLOCK).digest()
    members = tuple(bundle.Member(bundle.block_name(i.to_bytes(16, "big")), len(BLOCK), one) for i in range(256))
    pieces = bundle.stream(bundle.Listing("workstation", DAY, members, 1, 1), lambda _: [BLOCK])
    tracemalloc.start()
    assert len(bundle.verify(Pipe(pieces)).members) == 256
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 1024**2
