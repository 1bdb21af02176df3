"""The courier against a real server over HTTP: push, pull, and interruptions."""

import contextlib
import datetime
import errno
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import flask
import pytest
from click.testing import CliRunner
from nacl.signing import SigningKey

from tests.parties import Organisation, organisation, report, reporter, sealed
from tests.serving import WSGI, running
from whistle import courier as couriers
from whistle import durable
from whistle.cli.courier import courier as command
from whistle.courier import Courier, CourierError, Settings, folder
from whistle.protocol.case import message
from whistle.protocol.transfer import bundle, statement, tar
from whistle.protocol.transfer.bundle import BLOCK, Listing
from whistle.protocol.trust import manifest
from whistle.server import create_app
from whistle.server.config import Config
from whistle.server.instance import NAME, Instance
from whistle.store import Heap, Sealed

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
TODAY = NOW.date()
YESTERDAY = TODAY - datetime.timedelta(days=1)


@dataclass
class Place:
    """A running server with all that belongs to it; `between` may stand between courier and application."""

    org: Organisation
    url: str = ""
    now: datetime.datetime = NOW
    requests: list[str] = field(default_factory=list)
    between: Callable[[WSGI, dict[str, Any], Any], Any] | None = None
    instance: Instance = field(init=False)

    def answer(self, application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        """Note the request, let whoever stands between have it, else the application."""
        self.requests.append(environ["PATH_INFO"])
        return self.between(application, environ, start) if self.between else application(environ, start)

    def content(self, id: bytes) -> bytes:
        """The body of an envelope or a block."""
        store = self.instance.store
        return store.body(id) or store.block(id) or b""

    def envelope(self, day: datetime.date = TODAY, blocks: int = 0) -> str:
        """Store a report on a day, with so many blocks; its member's name."""
        now, self.now = self.now, datetime.datetime.combine(day, datetime.time(1), datetime.UTC)
        who = reporter()
        signed = message.sign(report(who, self.org), who.signing)
        id, ids = os.urandom(16), [os.urandom(16) for _ in range(blocks)]
        for block in ids:
            self.instance.store.put_block(block, os.urandom(BLOCK), Heap.REVIEWERS)
        body = sealed(signed, self.org, ("ombuds", "ethics"), YESTERDAY)
        self.instance.store.commit([Sealed(id, Heap.REVIEWERS, body)], ids)
        self.now = now
        return bundle.envelope_name(id)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A server with a manifest, on a port of its own."""
    org = organisation(TODAY)
    keys = tmp_path / "server" / "keys"
    keys.mkdir(parents=True)
    (keys / "root-1.pub").write_bytes(org.root.public.file())
    found = Place(org)
    app = create_app(Config(tmp_path / "server", chaff=0.0), lambda: found.now)
    found.instance = app.extensions[NAME]
    found.instance.published.install([(org.known.data, org.known.signature)])
    with running(lambda environ, start: found.answer(app.wsgi_app, environ, start)) as found.url:
        yield found
    found.instance.store.close()


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty stick."""
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def at(place: Place, tmp_path: Path) -> Courier:
    """The courier of the organisation, in its folder."""
    return courier(place, tmp_path / "courier")


def courier(place: Place, where: Path, key: SigningKey | None = None, url: str = "") -> Courier:
    """A courier with the organisation's key, or another."""
    if not where.exists():
        couriers.create(where, Settings(url or place.url, "Courier", (place.org.root.public,), None))
        secret = folder.SECRET + folder.base64.b64encode(bytes(key or place.org.courier)).decode()
        (where / folder.KEY).write_text(secret)
    return Courier(where, clock=lambda: place.now.timestamp())


def inbox(stick: Path) -> dict[str, bytes]:
    """The inbox's members by name; each part is verified."""
    found = {}
    for path in (stick / "inbox").iterdir():
        reader = bundle.Reader(io.BytesIO(path.read_bytes()))
        found |= {member.name: body.read() for member, body in reader}
    return found


def listing(stick: Path) -> Listing:
    """The list of the inbox's first part."""
    with min((stick / "inbox").iterdir()).open("rb") as file:
        return bundle.verify(file)


def envelopes(stick: Path) -> set[str]:
    """The envelopes in the inbox."""
    return {name for name in inbox(stick) if name.startswith("envelopes/")}


def outbox(
    stick: Path, files: dict[str, bytes], name: str = "a.tar", heap: bundle.Heap = "reporters", **more: Any
) -> Path:
    """Write a part as a workstation does."""
    members = [
        bundle.member(each, data, heap=None if each.startswith("manifest") else heap) for each, data in files.items()
    ]
    (parts,) = bundle.split(members)
    (stick / "outbox").mkdir(exist_ok=True)
    whole = bundle.stream(Listing("server", TODAY, tuple(parts), 1, 1, **more), lambda member: [files[member.name]])
    (stick / "outbox" / name).write_bytes(b"".join(whole))
    return stick / "outbox" / name


def states(place: Place, day: datetime.date, names: set[str], reviewer: str = "ombuds") -> statement.ImportStatement:
    """A workstation's signed statement to have these of a day, as the server has them."""
    ids = [bundle.member_id(name) for name in names]
    hash_ = statement.day_hash((id, hashlib.sha256(place.content(id)).digest()) for id in ids)
    return statement.sign(reviewer, day, hash_, place.org.people[reviewer].secret.signing)


def test_what_came_lies_on_the_stick(place: Place, at: Courier, stick: Path) -> None:
    """Envelopes, blocks and the manifest come to the inbox with the server's days, and are collected there."""
    names = {place.envelope(YESTERDAY), place.envelope(blocks=2)}
    pulled = at.pull(stick)
    assert (pulled.envelopes, pulled.blocks, pulled.fetched) == (2, 2, 4)
    assert envelopes(stick) == names
    assert inbox(stick)["manifest.json"] == place.org.known.data
    assert {member.day for member in listing(stick).members if member.id} == {TODAY, YESTERDAY}
    states = place.instance.store.lookup([bundle.member_id(name) for name in names])
    assert {found.state.value for found in states} == {"collected"}


def test_a_second_pull_fetches_nothing_and_writes_the_same(place: Place, at: Courier, stick: Path) -> None:
    """What was pulled is not asked for again, and the stick says the same."""
    place.envelope(blocks=1)
    at.pull(stick)
    before = {path.name: path.read_bytes() for path in (stick / "inbox").iterdir()}
    place.requests.clear()
    assert at.pull(stick).fetched == 0
    assert {path.name: path.read_bytes() for path in (stick / "inbox").iterdir()} == before
    assert "/courier/fetch" not in place.requests


@pytest.mark.parametrize("kind", ["envelopes", "blocks"])
def test_what_the_disk_altered_is_fetched_anew(place: Place, at: Courier, stick: Path, kind: str) -> None:
    """A flipped bit in the courier's folder never reaches a stick: the server is asked for that file again."""
    place.envelope(blocks=2)
    at.pull(stick)
    honest = inbox(stick)
    flip(next((at._folder / "mirror").rglob(f"{kind}/*")))
    pulled = at.pull(stick)
    assert (pulled.fetched, pulled.altered) == (1, 1)
    assert inbox(stick) == honest


def test_what_somebody_altered_in_the_folder_can_be_fetched_anew(place: Place, at: Courier, stick: Path) -> None:
    """Bytes that were exchanged with their hash reach the stick, until `pull --again`, which trusts nothing here."""
    place.envelope(blocks=1)
    at.pull(stick)
    honest = inbox(stick)
    [path] = (at._folder / "mirror").rglob("envelopes/*")
    flip(path)
    path.rename(path.with_suffix("." + hashlib.sha256(path.read_bytes()).hexdigest()))
    at.pull(stick)
    assert inbox(stick) != honest
    assert at.pull(stick, again=True).fetched == 2
    assert inbox(stick) == honest


def test_a_folder_of_an_earlier_version_is_filled_anew(place: Place, at: Courier, stick: Path) -> None:
    """Files without a hash behind their names are removed, and what they were is fetched again."""
    name = place.envelope()
    at.pull(stick)
    [path] = (at._folder / "mirror").rglob("envelopes/*")
    path.rename(path.with_name(Path(name).name))
    assert at.pull(stick).fetched == 1
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def litter(folder: Path) -> None:
    """Files that macOS and Windows put into every folder that somebody opens."""
    for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        for name in (".DS_Store", "._whistle.tar", "Thumbs.db", "desktop.ini", "Icon\r", "._.DS_Store"):
            (place / name).write_bytes(b"\0\0\0\1Bud1")
    for name in (".Trashes", ".Spotlight-V100", ".fseventsd", "System Volume Information", "$RECYCLE.BIN"):
        (folder / name / "inside").mkdir(parents=True, exist_ok=True)


def test_what_systems_lay_into_folders_is_passed_over(place: Place, at: Courier, stick: Path) -> None:
    """A courier on macOS pulls, pushes and pulls again, with `.DS_Store` and its kind in each of its folders."""
    names = {place.envelope(), place.envelope(YESTERDAY, blocks=1)}
    at.exchange(stick)
    for _ in range(2):
        litter(stick)
        litter(at._folder)
        names.add(place.envelope())
        at.exchange(stick)
        parts = [path for path in (stick / "inbox").glob("*.tar") if not path.name.startswith(".")]
        found = {member.name for path in parts for member in bundle.verify(io.BytesIO(path.read_bytes())).members}
        assert names <= found
    assert at.pull(stick).fetched == 0


def test_another_stick_gets_everything(place: Place, at: Courier, stick: Path, tmp_path: Path) -> None:
    """A lost stick is written again without asking the server for anything."""
    name = place.envelope()
    at.pull(stick)
    (tmp_path / "other").mkdir()
    assert at.pull(tmp_path / "other").fetched == 0
    assert envelopes(tmp_path / "other") == {name}


def test_a_list_that_one_answer_does_not_hold(
    place: Place, at: Courier, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The courier asks until it has all of a day; a server that says there is more without going on is told of."""
    monkeypatch.setattr("whistle.server.api.courier.LISTED", 2)
    names = {place.envelope(YESTERDAY, blocks=2) for _ in range(3)}
    pulled = at.pull(stick)
    assert (pulled.envelopes, pulled.blocks, envelopes(stick)) == (3, 6, names)
    assert place.requests.count("/courier/ids") == 5
    whole = b'{"blocks":[],"envelopes":["00112233445566778899aabbccddeeff"],"more":true}'

    def endless(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        asked = environ["PATH_INFO"] == "/courier/ids"
        return flask.Response(whole)(environ, start) if asked else application(environ, start)

    place.between = endless
    with pytest.raises(CourierError, match="not of the known form"):
        at.pull(stick)
    assert place.requests.count("/courier/ids") == 5 + 2


def test_a_day_that_the_workstation_has_is_left_out(place: Place, at: Courier, stick: Path) -> None:
    """A signed statement that equals the server's day keeps the day off the stick; a later envelope brings all back."""
    old, new = {place.envelope(YESTERDAY)}, {place.envelope()}
    outbox(stick, {}, imports=(states(place, YESTERDAY, old), states(place, TODAY, new)))
    at.exchange(stick)
    assert envelopes(stick) == set()
    late = place.envelope()
    at.exchange(stick)
    assert envelopes(stick) == new | {late}
    at.pull(stick, everything=True)
    assert envelopes(stick) == old | new | {late}


def test_a_day_is_left_out_only_when_all_who_use_the_stick_have_it(place: Place, at: Courier, stick: Path) -> None:
    """Two workstations on one stick: what one of them lacks is brought."""
    names = {place.envelope()}
    outbox(stick, {}, "a.tar", imports=(states(place, TODAY, names),))
    outbox(stick, {}, "b.tar", imports=(states(place, TODAY, set(), "ethics"),))
    at.exchange(stick)
    assert envelopes(stick) == names


def test_a_forged_statement_keeps_nothing_off_the_stick(place: Place, at: Courier, stick: Path) -> None:
    """A statement that its reviewer did not sign counts for nothing."""
    names = {place.envelope()}
    honest = states(place, TODAY, names)
    outbox(stick, {}, imports=(replace(honest, signature=bytes(64)),))
    at.pull(stick)
    assert envelopes(stick) == names


def test_the_outbox_reaches_the_server_once(place: Place, at: Courier, stick: Path) -> None:
    """A reply and its block are stored; the receipt lies in the inbox; the same part is not sent again."""
    id, block = os.urandom(16), os.urandom(16)
    outbox(stick, {bundle.envelope_name(id): _form_of(place), bundle.block_name(block): os.urandom(BLOCK)})
    first = at.exchange(stick)
    assert first.pushed.parts == 1
    assert set(listing(stick).stored) == {id, block}
    assert place.instance.store.has(id)
    second = at.exchange(stick)
    assert second.pushed.parts == 0
    assert set(listing(stick).stored) == {id, block}
    assert place.requests.count("/courier/push") == 1


def test_a_taken_place_is_told(place: Place, at: Courier, stick: Path) -> None:
    """If something else is stored there already, the inbox says so, and the server keeps what it had."""
    id, there = os.urandom(16), _form_of(place)
    place.instance.store.commit([Sealed(id, Heap.REPORTERS, there)], [])
    outbox(stick, {bundle.envelope_name(id): _form_of(place)})
    assert at.exchange(stick).pushed.taken == (id,)
    assert (listing(stick).taken, listing(stick).stored) == ((id,), ())
    assert place.instance.store.body(id) == there


def test_a_manifest_in_the_outbox_is_installed_and_comes_back(place: Place, at: Courier, stick: Path) -> None:
    """The next manifest goes by stick to the server and from there with its predecessor to every workstation."""
    following = place.org.next()
    files = {"manifest.json": following.data, "manifest.json.minisig": following.signature}
    outbox(stick, files)
    assert at.exchange(stick).pushed.manifest == "installed"
    assert inbox(stick)["manifest.json"] == following.data
    assert inbox(stick)["manifest-1.json"] == place.org.known.data


def test_a_manifest_signed_in_advance_comes_too(place: Place, at: Courier, stick: Path) -> None:
    """One that begins later is carried to the workstation before its day; the one in force stays in use."""
    ahead = place.org.next(begins=TODAY + datetime.timedelta(days=10))
    place.instance.published.install([(ahead.data, ahead.signature)])
    at.pull(stick)
    at.pull(stick)
    assert {inbox(stick)["manifest.json"], inbox(stick)["manifest-1.json"]} == {ahead.data, place.org.known.data}


def test_a_manifest_by_another_root_is_refused(place: Place, at: Courier, stick: Path) -> None:
    """A server with a manifest of its own is sent nothing, and nothing of it is carried."""
    foreign = organisation(TODAY)
    _replace_manifest(place, foreign.known)
    with pytest.raises(couriers.BadServer, match="not signed by a root"):
        at.exchange(stick)
    assert not (stick / "inbox").exists()


def test_an_older_manifest_than_before_is_refused(place: Place, at: Courier, stick: Path) -> None:
    """A server that goes back to the first after the second was in force is refused."""
    following = place.org.next()
    place.instance.published.install([(following.data, following.signature)])
    at.pull(stick)
    _replace_manifest(place, place.org.known)
    with pytest.raises(couriers.BadServer, match="older"):
        at.pull(stick)


def test_another_manifest_of_the_same_serial_is_refused(place: Place, at: Courier, stick: Path) -> None:
    """Even with the root's own signature, one serial has one manifest."""
    at.pull(stick)
    _replace_manifest(place, place.org.sign(collection=("friday",)))
    with pytest.raises(couriers.BadServer, match="same serial"):
        at.pull(stick)


def test_before_the_first_manifest_nothing_goes(place: Place, at: Courier, stick: Path) -> None:
    """The courier says that the operator has to install one."""
    place.between = _answers({}, {"/manifest.json": b""}, "404 Not Found")
    with pytest.raises(couriers.BadServer, match="no manifest yet"):
        at.exchange(stick)


def test_a_courier_that_is_not_listed_is_told_so(place: Place, stick: Path, tmp_path: Path) -> None:
    """A key that the manifest does not name gets a hint, before the server is asked for anything."""
    with pytest.raises(CourierError, match="not in the manifest"):
        courier(place, tmp_path / "stranger", SigningKey.generate()).exchange(stick)
    assert "/courier/days" not in place.requests


def test_a_clock_that_is_wrong_is_named(place: Place, at: Courier, stick: Path) -> None:
    """A difference of ten minutes is reported as a matter of clocks."""
    wrong = Courier(at._folder, clock=lambda: place.now.timestamp() - 600)
    with pytest.raises(couriers.Refused, match=r"clock.*10 minutes"):
        wrong.pull(stick)


def test_a_server_that_is_away_is_named_without_its_address(place: Place, stick: Path, tmp_path: Path) -> None:
    """No address stands in the error."""
    away = courier(place, tmp_path / "away", url="http://127.0.0.1:1")
    with pytest.raises(couriers.ServerAway) as error:
        away.exchange(stick)
    assert "127.0.0.1" not in str(error.value) + error.value.hint


def test_a_pull_that_breaks_off_goes_on(place: Place, at: Courier, stick: Path) -> None:
    """Cut off in the middle of each answer, a pull still ends, and nothing is fetched twice."""
    names = {place.envelope() for _ in range(6)}
    fetched: list[int] = []

    def cut(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] != "/courier/fetch":
            return application(environ, start)
        whole = b"".join(application(environ, start))
        fetched.append(len(whole))
        return [whole[:70_000]]

    place.between = cut
    at.pull(stick)
    assert envelopes(stick) == names
    assert fetched == sorted(fetched, reverse=True)
    assert len(fetched) == 3


def test_a_pull_that_never_gets_on_gives_up_and_keeps_what_it_has(place: Place, at: Courier, stick: Path) -> None:
    """When the line stays dead the command ends with an error, and the next one needs only the rest."""
    names = {place.envelope() for _ in range(3)}
    place.between = _dead_after(40_000)
    with pytest.raises(couriers.ServerAway):
        at.pull(stick)
    assert not (stick / "inbox").exists()
    place.between = None
    assert at.pull(stick).fetched == 2
    assert envelopes(stick) == names


def test_a_push_that_breaks_off_sends_only_the_rest(place: Place, at: Courier, stick: Path) -> None:
    """Of two parts the one that arrived is not sent again."""
    ids = [os.urandom(16), os.urandom(16)]
    for number, id in enumerate(ids):
        outbox(stick, {bundle.envelope_name(id): _form_of(place)}, f"{number}.tar")
    pushes = 0

    def broken(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        nonlocal pushes
        pushes += environ["PATH_INFO"] == "/courier/push"
        if environ["PATH_INFO"] == "/courier/push" and pushes == 2:
            raise ConnectionResetError
        return application(environ, start)

    place.between = broken
    with contextlib.suppress(CourierError):
        at.exchange(stick)
    place.between = None
    done = at.exchange(stick)
    assert done.pushed.parts == 1
    assert set(listing(stick).stored) == set(ids)


def test_what_the_server_no_longer_has_leaves_the_courier(place: Place, at: Courier, stick: Path) -> None:
    """The mirror follows the server: a body that was removed there is gone here, too."""
    place.envelope()
    at.pull(stick)
    place.between = _answers({"/courier/days": {"days": [], "serial": 1}})
    at.pull(stick)
    assert envelopes(stick) == set()
    assert list((at._folder / "mirror").rglob("*")) == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(tar.header("blocks/" + "0" * 32, BLOCK) + bytes(BLOCK) + tar.END, id="not asked for"),
        pytest.param(b"x" * 1024, id="no tar"),
        pytest.param(tar.header("envelopes/" + "0" * 32 + ".age", 4096) + bytes(4096) + tar.END, id="another envelope"),
    ],
)
def test_a_server_that_sends_something_else_is_refused(place: Place, at: Courier, stick: Path, bad: bytes) -> None:
    """Nothing that was not asked for is written anywhere."""
    place.envelope()
    place.between = _answers({}, {"/courier/fetch": bad})
    with pytest.raises(CourierError):
        at.pull(stick)
    assert not list((at._folder / "mirror").rglob("*0000*"))


def test_a_damaged_outbox_is_not_sent(place: Place, at: Courier, stick: Path) -> None:
    """One changed byte in a part stops the push before anything of it leaves."""
    path = outbox(stick, {bundle.envelope_name(os.urandom(16)): _form_of(place)})
    data = bytearray(path.read_bytes())
    data[9000] ^= 1
    path.write_bytes(data)
    with pytest.raises(couriers.BadStick, match=r"a\.tar is damaged"):
        at.exchange(stick)
    assert "/courier/push" not in place.requests


def test_one_senders_bad_part_keeps_nothing_of_another_back(place: Place, at: Courier, stick: Path) -> None:
    """On a stick that workstations share, what one wrote wrongly is told, and all else is carried both ways."""
    there, id = place.envelope(), os.urandom(16)
    outbox(stick, {bundle.envelope_name(id): _form_of(place)}, "b-1.tar")
    outbox(stick, {bundle.envelope_name(os.urandom(16)): bytes(len(_form_of(place)))}, "a-1.tar")
    (stick / "outbox" / "0-1.tar").write_bytes(b"no bundle")
    with pytest.raises(couriers.BadStick, match=r"0-1\.tar is damaged"):
        at.exchange(stick)
    assert place.instance.store.has(id) and envelopes(stick) == {there}
    assert listing(stick).stored == (id,)


def test_a_stick_that_is_not_there(at: Courier, tmp_path: Path) -> None:
    """A folder that does not exist is no stick, and is not made into one."""
    with pytest.raises(couriers.BadStick, match="no stick"):
        at.exchange(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("error", ["ENOSPC", "EROFS", "EIO"])
def test_a_stick_that_takes_no_more_keeps_the_old_inbox(
    place: Place, at: Courier, stick: Path, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stops the writing, old parts stay whole, no half part is left, and the error says why."""
    first = place.envelope()
    at.pull(stick)
    place.envelope(blocks=2)
    sync = os.fsync

    def failing(handle: int) -> None:
        if stick in Path(f"/proc/self/fd/{handle}").readlink().parents:
            raise OSError(getattr(errno, error), "")
        sync(handle)

    monkeypatch.setattr(durable.os, "fsync", failing)
    with pytest.raises(couriers.BadStick, match=r"^the stick: "):
        at.pull(stick)
    assert envelopes(stick) == {first}
    monkeypatch.undo()
    at.pull(stick)
    assert len(envelopes(stick)) == 2


def test_a_stick_pulled_out_at_any_moment_holds_whole_parts(
    place: Place, at: Courier, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any step of writing, every part in the inbox verifies."""
    place.envelope(YESTERDAY)
    at.pull(stick)
    place.envelope(blocks=1)
    moments = 0

    def look(*_: object) -> None:
        nonlocal moments
        moments += 1
        for path in (stick / "inbox").glob("*.tar"):
            with path.open("rb") as file:
                bundle.verify(file)

    rename = Path.replace

    def renamed(self: Path, target: Path) -> Path:
        look()
        done = rename(self, target)
        look()
        return done

    monkeypatch.setattr(Path, "replace", renamed)
    Courier(at._folder, look, clock=lambda: place.now.timestamp()).pull(stick)
    assert moments > 6


def test_long_outboxes_come_in_parts(place: Place, at: Courier, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An inbox beyond the limit is split, and only the first part carries the receipts."""
    names = {place.envelope() for _ in range(4)}
    split = bundle.split
    monkeypatch.setattr(bundle, "split", lambda members: split(members, count=3))
    at.pull(stick)
    assert len(list((stick / "inbox").iterdir())) == 2
    assert envelopes(stick) == names


def test_the_key_is_its_owners(place: Place, tmp_path: Path) -> None:
    """The courier's key file is readable by nobody else, and its form can be searched for."""
    where = tmp_path / "fresh"
    couriers.create(where, Settings(place.url, "Courier", (place.org.root.public,), None))
    assert (where / folder.KEY).stat().st_mode & 0o777 == 0o600
    assert (where / folder.KEY).read_text().startswith("WHISTLE-SECRET-COURIER-")
    with pytest.raises(CourierError):
        couriers.create(where, Settings(place.url, "Courier", (place.org.root.public,), None))


def test_the_commands(place: Place, stick: Path, tmp_path: Path) -> None:
    """init shows the roots' digits and writes the public file; exchange says that the stick may be removed."""
    (tmp_path / "root-1.pub").write_bytes(place.org.root.public.file())
    where = ["--folder", str(tmp_path / "courier")]
    options = ["--server", place.url, "--name", "Courier", "--root", str(tmp_path / "root-1.pub")]
    made = CliRunner().invoke(command, ["init", *options, *where])
    assert manifest.fingerprint([place.org.root.public]) in made.output
    assert (tmp_path / "courier" / "courier.public").exists()
    refused = CliRunner().invoke(command, ["exchange", str(stick), *where])
    assert (refused.exit_code, refused.stderr.splitlines()[0][:15]) == (1, "whistle: error:")
    listed = replace(place.org.manifest.couriers[0], key=bytes(folder.key(tmp_path / "courier").verify_key).hex())
    following = place.org.next(couriers=(listed,))
    place.instance.published.install([(following.data, following.signature)])
    place.now = datetime.datetime.now(datetime.UTC)
    done = CliRunner().invoke(command, ["exchange", str(stick), *where])
    assert done.output.splitlines()[-1] == "You may remove the stick."


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--server", "http://" + "a" * 56 + ".onion"], id="onion without Tor"),
        pytest.param(["--server", "http://x", "--proxy", "socks5://127.0.0.1:9050"], id="names looked up here"),
        pytest.param(["--server", "whistle.example"], id="no address"),
    ],
)
def test_settings_that_would_leak_or_fail_are_refused(options: list[str], tmp_path: Path, place: Place) -> None:
    """An onion address needs Tor, and names are looked up by the proxy only."""
    (tmp_path / "root-1.pub").write_bytes(place.org.root.public.file())
    more = ["--name", "C", "--root", str(tmp_path / "root-1.pub"), "--folder", str(tmp_path / "c")]
    assert CliRunner().invoke(command, ["init", *options, *more]).exit_code == 1
    assert not (tmp_path / "c").exists()


def flip(path: Path) -> None:
    """Change the last bit of a file."""
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def _form_of(place: Place) -> bytes:
    """An envelope as any reviewer could seal one."""
    who = reporter()
    return sealed(message.sign(report(who, place.org), who.signing), place.org, ("ombuds",), TODAY)


def _replace_manifest(place: Place, known: manifest.SignedManifest) -> None:
    def other(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        files = {"/manifest.json": known.data, "/manifest.json.minisig": known.signature}
        if environ["PATH_INFO"] not in files:
            return application(environ, start)
        start("200 OK", [])
        return [files[environ["PATH_INFO"]]]

    place.between = other


def _answers(
    records: dict[str, Any], files: dict[str, bytes] | None = None, status: str = "200 OK"
) -> Callable[[WSGI, dict[str, Any], Any], Any]:
    """Gives these answers instead of the server's."""
    bodies = {path: flask.json.dumps(record).encode() for path, record in records.items()} | (files or {})

    def between(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] not in bodies:
            return application(environ, start)
        start(status, [("Content-Type", "application/json")])
        return [bodies[environ["PATH_INFO"]]]

    return between


def _dead_after(size: int) -> Callable[[WSGI, dict[str, Any], Any], Any]:
    """Lets so many bytes of one fetch through, and nothing of any further one."""
    left = size

    def between(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        nonlocal left
        if environ["PATH_INFO"] != "/courier/fetch":
            return application(environ, start)
        whole = b"".join(application(environ, start))[:left]
        left = 0
        return [whole]

    return between
