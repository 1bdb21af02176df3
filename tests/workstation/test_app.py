"""The local page."""

import contextlib
import datetime
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests import parties
from tests.patience import PATIENCE
from tests.workstation.carrying import World, attach
from whistle.courier import ServerAway
from whistle.protocol.case import message
from whistle.translations import cldr
from whistle.workstation.app import local_server
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import overview, transcript
from whistle.workstation.language import t

HOST = "http://127.0.0.1:4711"
ORIGIN = {"Origin": HOST}


@pytest.fixture
def page(world: World) -> FlaskClient:
    """The page of the ombudsperson, with one report that has a file and left nobody out."""
    blocks, transcript = attach(b"a photograph", "\u202egpj.exe\x00")
    world.carrier.put_blocks(blocks)
    world.report(text="<script>alert(1)</script> third floor", attachments=(transcript,), without=("counsel",))
    app = create_app(world.station("ombuds"), world.stick, saved=world.folder / "saved", token="t")
    world.round("ombuds")
    return app.test_client()


def get(page: FlaskClient, path: str = "") -> str:
    """The text of a page."""
    answer = page.get(f"/t/{path}", base_url=HOST)
    assert answer.status_code == 200
    return answer.text


def post(page: FlaskClient, path: str, **fields: object) -> str:
    """The text of the page after a form."""
    answer = page.post(f"/t/{path}", base_url=HOST, headers=ORIGIN, data=fields, follow_redirects=True)
    assert answer.status_code == 200
    return answer.text


def case_of(page: FlaskClient) -> str:
    """The only case's name in addresses."""
    [found] = re.findall(r"/t/case/([0-9a-f]{32})\"", get(page))
    return str(found)


def test_what_strangers_wrote_is_escaped(world: World, page: FlaskClient) -> None:
    """A report's text is shown as text, and who was left out is named."""
    shown = get(page, f"case/{case_of(page)}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; third floor" in shown and "<script" not in shown
    assert "Staff counsel (counsel)" in shown and "they cannot see what they wrote" in shown.lower()
    assert "says it was sealed on the reporter&#39;s own device" in shown


def test_another_list_of_readers_is_shown(world: World) -> None:
    """A report that was sealed with a manifest not known here is marked in the list, and page and command say why."""
    who = parties.reporter()
    other = world.org.sign(collection=("friday",))
    signed = message.sign(parties.report(who, world.org, keys=other.keys), who.signing)
    world.carrier.put(parties.sealed(signed, world.org, ("ombuds",)))
    station = world.station("ombuds")
    page = create_app(station, world.stick, saved=world.folder / "saved", token="t").test_client()
    world.round("ombuds")
    said = "was sealed with manifest 1, which is not the one known here"
    assert "look into this" in get(page)
    assert said in get(page, f"case/{case_of(page)}")
    [case] = overview.queue(station)
    assert [line for line in transcript.lines(station, case) if line.startswith("Look into this: ") and said in line]


def test_a_reply_by_the_page_reaches_the_reporter(world: World, page: FlaskClient) -> None:
    """Text and file are sealed and sent with the next exchange; a reload repeats nothing."""
    name = case_of(page)
    files = (BytesIO(b"plan"), "plan.pdf")
    assert "In the tray" in post(page, f"case/{name}/reply", text="We look\r\ninto it.", files=files)
    assert "waits for the next exchange" in get(page, f"case/{name}")
    assert "On the way: 3 messages." in post(page, "exchange")  # the reply, copies of its files, the case's status
    world.carrier.push(world.stick)
    [case] = overview.queue(world.station("ombuds"))
    kinds = [entry.content.kind for entry in case.entries]
    assert kinds == ["report", "reply", "note", "status"]


def checked(page: FlaskClient, name: str) -> str:
    """What the next reply counts as unless another is chosen."""
    [found] = re.findall(r'name="mark" value="(\w*)" checked', get(page, f"case/{name}"))
    return str(found)


def test_what_a_reply_counts_as(world: World, page: FlaskClient) -> None:
    """The first reply acknowledges and later ones count as nothing, unless their writer says so; what is on its way
    is shown as not delivered."""
    name = case_of(page)
    assert checked(page, name) == "acknowledgement" and "due within 7 days" in get(page, f"case/{name}")
    post(page, f"case/{name}/reply", text="We have it.", mark="acknowledgement")
    assert checked(page, name) == ""
    assert "7 days left; answered, not delivered yet" in get(page)
    post(page, "exchange")
    world.carrier.push(world.stick)
    world.round("ombuds")
    assert "tell what was done by" in get(page) and "acknowledge receipt" not in get(page)
    refused = post(page, f"case/{name}/reply", text=" ", mark="feedback")
    assert 'name="mark" value="feedback" checked' in refused
    post(page, f"case/{name}/reply", text="We have stopped the payments.", mark="feedback")
    world.round("ombuds", "ombuds")
    assert "Feedback by Ombudsperson" in get(page, f"case/{name}") and "tell what was done" not in get(page)
    answer = page.post(f"/t/case/{name}/reply", base_url=HOST, headers=ORIGIN, data={"text": "x", "mark": "thanks"})
    assert answer.status_code == 400


def test_a_closed_case_to_which_the_reporter_wrote_is_marked(world: World) -> None:
    """The list and the case say so, and a day in the past is refused beside the form."""
    who = world.report()
    page = create_app(world.station("ombuds"), world.stick, token="t").test_client()
    world.round("ombuds")
    name = case_of(page)
    post(page, f"case/{name}/status", confirmed="yes", status="closed")
    world.round("ombuds")
    assert t("transcript.reopened") not in get(page)
    world.follow_up(who)
    world.round("ombuds")
    assert t("transcript.reopened") in get(page) and t("transcript.reopened") in get(page, f"case/{name}")
    assert "is in the past" in post(page, f"case/{name}/status", confirmed="yes", status="open", deadline="2026-11-21")


def test_the_desk_says_when_the_reporter_is_not_told(world: World) -> None:
    """A reviewer who lets somebody in before the report has arrived is told that the reporter does not see it yet."""
    world.follow_up(parties.reporter())
    page = create_app(world.station("ombuds"), world.stick, token="t").test_client()
    world.round("ombuds")
    post(page, f"case/{case_of(page)}/grant", confirmed="yes", grantee="counsel")
    assert "The reporter sees it with the next reply" in post(page, "exchange")


def test_what_is_missing_is_shown_and_granted_again(world: World) -> None:
    """A colleague's note names what was kept from this reader: that is told, until a colleague sends it again."""
    who = world.report()
    world.follow_up(who)
    world.round("ombuds")
    kept = list(world.carrier.heaps)[-1]
    mine, theirs = (create_app(world.station(id), world.stick, token="t").test_client() for id in ("ethics", "ombuds"))
    post(theirs, f"case/{case_of(theirs)}/note", text="Have you seen the follow-up?")
    world.round("ombuds")
    del world.carrier.heaps[kept]
    world.round("ethics")
    shown = get(mine, f"case/{case_of(mine)}")
    assert "ombuds says they have read a message in this case that has not come here; if it does not come" in shown
    assert "look into this" in get(mine) and "Grant the case again" in shown
    again = post(theirs, f"case/{case_of(theirs)}/again", grantee="ethics")
    assert "All of the case once more, to Ethics office (ethics)" in again
    world.round("ombuds", "ethics")
    passed = "Ombudsperson (ombuds) passed messages of this case on to Ethics office (ethics)"
    assert passed in get(theirs, f"case/{case_of(theirs)}")
    shown = get(mine, f"case/{case_of(mine)}")
    assert "Look into this" not in shown and "It happened again." in shown and "look into this" not in get(mine)
    assert "is no other reader" in post(theirs, f"case/{case_of(theirs)}/again", grantee="counsel")


def test_what_is_not_confirmed_is_shown(world: World, page: FlaskClient) -> None:
    """Each message tells what the courier said of it; when no copy came back, the first page says so too."""
    name = case_of(page)
    post(page, f"case/{name}/reply", text="We look into it.")
    post(page, "exchange")
    before = set(world.carrier.heaps)
    world.carrier.push(world.stick)
    for id in set(world.carrier.heaps) - before:
        del world.carrier.heaps[id]
    world.carrier.inbox(world.stick)
    post(page, "exchange")
    assert f"the courier said on {cldr.day('en', world.day)} that it was delivered; no copy came back yet" in get(
        page, f"case/{name}"
    )
    assert "Not confirmed" not in get(page)
    world.day += datetime.timedelta(days=14)
    assert "Not confirmed: 2 messages." in post(page, "exchange")
    assert "Not confirmed: 2 messages that the courier said were delivered" in get(page)
    assert "NOT CONFIRMED" in get(page, f"case/{name}")


def test_a_connected_workstation_does_the_couriers_part(world: World) -> None:
    """One button writes the outbox, goes to the server and takes in what came; what goes wrong there is said."""
    who, station = world.report(), world.station("ombuds")
    errands = []

    def courier() -> list[str]:
        errands.append([listing.to for listing in world.carrier.push(world.stick)])
        if len(errands) == 2:
            raise ServerAway("the server cannot be reached", "try again later")
        world.carrier.inbox(world.stick)
        return ["The server was asked."]

    page = create_app(station, world.stick, courier, token="t").test_client()
    assert "Connected: this computer is online" in get(page)
    first = post(page, "carry")
    assert "The server was asked." in first and "1 new message in 1 case" in first
    post(page, f"case/{case_of(page)}/reply", text="We look into it.")
    answer = post(page, "carry")
    assert "The server cannot be reached." in answer and "Try again later." in answer
    assert world.replies(who) == [] and "Tray: 1" in answer
    answer = post(page, "carry")  # the courier goes once more with what was signed after the first errand
    assert "Signed and sealed from the tray: 1." in answer and "Tray: empty" in answer
    assert errands == [[], ["server"], ["server"], ["server"]] and len(world.replies(who)) == 1


def test_a_refused_form_gives_back_what_was_typed(world: World, page: FlaskClient) -> None:
    """A day that is none is named, and the reason that was typed stays until the form is accepted, whatever else is."""
    name = case_of(page)
    answer = post(page, f"case/{name}/status", status="open", deadline="soon", text="I will ask around")
    assert '<a href="#status">Not done: this is not a day.</a>' in answer and "I will ask around" in answer
    post(page, f"case/{name}/note", text="A note.")
    again = get(page, f"case/{name}")
    assert "Not done" in again and 'value="I will ask around"' in again
    post(page, f"case/{name}/status", confirmed="yes", status="open", deadline="2026-12-31", text="I ask around")
    assert "Not done" not in get(page, f"case/{name}")


def test_a_refused_form_is_answered_by_a_redirection(page: FlaskClient) -> None:
    """A browser is not left at the answer to what was typed, which it would write down."""
    name = case_of(page)
    wrong = {"reply": {"text": ""}, "note": {"text": ""}, "status": {"status": "open", "deadline": "soon"}}
    for form, fields in wrong.items():
        answer = page.post(f"/t/case/{name}/{form}", base_url=HOST, headers=ORIGIN, data=fields)
        assert (answer.status_code, answer.location) == (303, f"/t/case/{name}")
        assert f'<a href="#{form}">Not done' in get(page, f"case/{name}")


def test_every_form_keeps_out_of_the_browsers_profile(page: FlaskClient) -> None:
    """Each form forbids a browser to keep what is in it, and begins with what makes Chromium not keep what it sends."""
    shown = get(page) + get(page, f"case/{case_of(page)}")
    hidden = '<input type="password" value="********" autocomplete="off" hidden>'
    forms = re.findall(r"<form([^>]*)>\s*(<[^>]*>)", shown)
    assert len(forms) == shown.count("<form") > 5
    assert all('autocomplete="off"' in given and first == hidden for given, first in forms)


def test_a_file_is_saved_verified_under_a_harmless_name(world: World, page: FlaskClient) -> None:
    """Save writes the file for its owner alone, without the marks that disguise its ending, and so that a double click
    runs nothing, unless somebody insists on the ending."""
    name = case_of(page)
    [hash_] = world.station("ombuds").hashes(world.station("ombuds").case_ids()[0])
    assert "Saved, verified" in post(page, f"case/{name}/save", message=hash_, number="0")
    [path] = (world.folder / "saved").rglob("*.unsafe")
    assert path.name == "gpj.exe.unsafe" and path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"a photograph"
    post(page, f"case/{name}/save", message=hash_, number="0", insist="yes")
    assert [path.name for path in (world.folder / "saved").rglob("*.exe")] == ["gpj.exe"]


@pytest.mark.parametrize(
    ("base", "headers"),
    [
        ("http://evil.example:4711", {"Origin": "http://evil.example:4711"}),
        (HOST, {"Origin": "http://evil.example"}),
        (HOST, {"Origin": "null"}),
        (HOST, {}),
        (HOST, {"Origin": HOST, "Sec-Fetch-Site": "cross-site"}),
    ],
    ids=["rebinding", "another origin", "no origin's name", "no origin", "cross-site"],
)
def test_forms_from_elsewhere_are_refused(page: FlaskClient, base: str, headers: dict[str, str]) -> None:
    """Only this page's own forms, at this computer's own address, do anything."""
    assert page.post("/t/exchange", base_url=base, headers=headers).status_code == 403


def test_every_answer_is_strict_and_without_a_cookie(page: FlaskClient) -> None:
    """Pages, style and errors have the strict headers; no cookie is ever set; without the path there is nothing."""
    for path, status in (("/t/", 200), ("/t/static/style.css", 200), ("/", 404), ("/x/", 404)):
        answer = page.get(path, base_url=HOST)
        assert answer.status_code == status
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store" and "Set-Cookie" not in answer.headers


def test_uploads_never_touch_a_temporary_file(
    world: World, page: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file far larger than what Werkzeug keeps in memory is sealed without any temporary file."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    for maker in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile"):
        monkeypatch.setattr(f"tempfile.{maker}", refuse)
    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", refuse)
    big = (BytesIO(bytes(2_000_000)), "big.bin")
    assert "In the tray" in post(page, f"case/{case_of(page)}/note", text="", files=big)


@pytest.fixture
def served(world: World) -> Iterator[str]:
    """The address of a page that is served."""
    server, address, _ = local_server.serve(world.station("ombuds"), world.stick)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def test_connections_that_say_nothing_hold_nothing_up(served: str) -> None:
    """A browser that connects in advance, or a neighbour who connects and waits, does not keep the page from others."""
    host, port = served.split("/")[2].split(":")
    with contextlib.ExitStack() as idle:
        for _ in range(20):
            idle.enter_context(socket.create_connection((host, int(port))))
        with urllib.request.urlopen(served, timeout=PATIENCE) as answer:
            assert answer.status == 200 and "Werkzeug" not in answer.headers["Server"]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists() or os.getuid() != 0, reason="needs root on Linux")
@pytest.mark.parametrize(("user", "status"), [(65534, 403), (0, 200)], ids=["another user", "the same user"])
def test_another_user_of_this_computer_is_refused(served: str, user: int, status: int) -> None:
    """Who has seen the address among the arguments of a browser cannot use it without being the same user."""
    script = (
        "import os, sys, urllib.request, urllib.error\n"
        "'a'.encode('idna')\n"  # loaded while it may be read
        "os.setuid(int(sys.argv[2]))\n"
        "try:\n"
        f"    print(urllib.request.urlopen(sys.argv[1], timeout={PATIENCE}).status)\n"
        "except urllib.error.HTTPError as error:\n"
        "    print(error.code)\n"
    )
    command = [sys.executable, "-c", script, served, str(user)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == (f"{status}\n", "")


def test_too_large_a_form_is_told_where_to_go(world: World, page: FlaskClient) -> None:
    """More than the page takes is refused with the way that takes it, and the text stays."""
    page.application.config["WHISTLE_MOST"] = 100_000
    name = case_of(page)
    answer = post(page, f"case/{name}/reply", text="We look into it.", files=(BytesIO(bytes(200_000)), "big.bin"))
    assert "that was too much at once" in answer and "--attach" in answer and "We look into it." in answer
    assert "At most 100 KB at once" in answer
    smaller = (BytesIO(bytes(90_000)), "small.bin")
    assert "In the tray" in post(page, f"case/{name}/reply", text="We look into it.", files=smaller)


def test_a_browser_keeps_nothing_of_a_case(world: World, page: FlaskClient) -> None:
    """Titles and addresses, which a history keeps, name no case; nothing typed is stored or sent to a speller."""
    case = world.station("ombuds").case_ids()[0]
    name = case_of(page)
    shown = get(page, f"case/{name}")
    assert re.findall("<title>(.*?)</title>", get(page) + shown) == ["Workstation"] * 2
    addresses = " ".join(re.findall(r'(?:href|action)="([^"]*)"', get(page) + shown))
    assert case not in addresses and overview.load(world.station("ombuds"), case).reference not in addresses
    other = create_app(world.station("ombuds"), world.stick, token="u").test_client()
    assert other.get(f"/u/case/{name}", base_url=HOST).status_code == 404
    areas = re.findall("<textarea[^>]*>", shown)
    assert areas and all('autocomplete="off"' in area and 'spellcheck="false"' in area for area in areas)
    assert 'translate="no"' in shown
