"""Unlocking and locking in the page, and what a locked page gives away and keeps."""

import gc
import logging
import re
import threading
import time
import urllib.parse
import urllib.request
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.patience import PATIENCE
from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import HOST, ORIGIN, case_of, get, post
from whistle.workstation.app import desk as desks
from whistle.workstation.app import duty_pages, local_server
from whistle.workstation.app.app import create_app
from whistle.workstation.app.desk import Desk
from whistle.workstation.cases import overview
from whistle.workstation.errors import VaultLocked
from whistle.workstation.vault import passphrase as passphrases
from whistle.workstation.workstation import Workstation

MINUTE = 60.0


NOW = [0.0]  # seconds; the clock of the page that a test has


@pytest.fixture
def page(world: World) -> Iterator[FlaskClient]:
    """The locked page of the ombudsperson, who has one report; its clock stands still."""
    world.report(text="The third floor, in May.")
    world.round("ombuds")
    folder = world.station("ombuds").vault.folder
    world.station("ombuds").close()
    client = create_app(folder, world.stick, saved=world.folder / "saved", token="t").test_client()
    desk_of(client).clocks = (lambda: NOW[0],)
    NOW[0] = 0.0
    yield client
    desk_of(client).close()


def desk_of(page: FlaskClient) -> Desk:
    """What is behind a page."""
    desk = page.application.config["WHISTLE_DESK"]
    assert isinstance(desk, Desk)
    return desk


def unlock(page: FlaskClient, passphrase: str = PASSPHRASE) -> str:
    """The page after the passphrase was sent."""
    return post(page, "unlock", passphrase=passphrase)


def is_free(page: FlaskClient) -> bool:
    """Whether another program can open the vault now."""
    try:
        Workstation.open(desk_of(page).folder, PASSPHRASE).close()
    except VaultLocked:
        return False
    return True


def test_the_passphrase_is_asked_for_in_the_page(page: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """Every address leads to the form, a wrong passphrase opens nothing and is shown nowhere, and the right one does;
    no browser's store of passwords gets it."""
    caplog.set_level(logging.DEBUG)
    for path in ("", "found", "saved", "case/0", "viewer"):
        shown = page.get(f"/t/{path}", base_url=HOST, follow_redirects=True)
        assert shown.request.path == "/t/locked" and "third floor" not in shown.text
    assert page.get("/t/viewer", base_url=HOST, headers={"Sec-Fetch-Dest": "iframe"}).status_code == 409
    hidden = '<input type="password" value="********" autocomplete="off" hidden>'
    assert shown.text.count(hidden) == shown.text.count("<form") == shown.text.count('type="password"') == 2
    [field] = re.findall('<input class="secret"[^>]*>', shown.text)
    assert 'autocomplete="off"' in field and 'spellcheck="false"' in field and "value" not in field
    for wrong in ("seven quiet otters swam", "", "x" * 2000):
        refused = unlock(page, wrong)
        assert ("does not open the vault" if len(wrong) == 23 else "Nothing was typed, or too much") in refused
        assert not wrong or wrong not in refused
        assert desk_of(page).is_locked and is_free(page)
        problem = desk_of(page).problem
        assert problem and not (problem.__traceback__ or problem.__cause__ or problem.__context__)
    opened = unlock(page)
    assert "<h1>Cases</h1>" in opened and "third floor" in opened and not desk_of(page).is_locked
    assert PASSPHRASE not in opened + caplog.text and "does not open" not in get(page, "locked")


def test_one_attempt_at_a_time(page: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends many passphrases at once pays for one after another."""
    derive, running, most = passphrases.derive, [0], [0]

    def slow(*given: Any) -> bytes:
        running[0] += 1
        most.append(running[0])
        time.sleep(0.05)
        running[0] -= 1
        return derive(*given)

    monkeypatch.setattr(passphrases, "derive", slow)
    clients = [page.application.test_client() for _ in range(3)]
    threads = [threading.Thread(target=unlock, args=(each, "seven quiet otters swam")) for each in clients]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == [0, 1, 1, 1] and desk_of(page).is_locked


def test_what_lies_in_the_folder_is_told(page: FlaskClient, tmp_path: Path) -> None:
    """A vault that is missing, damaged or open elsewhere is told in words, with what to do."""
    nowhere = create_app(tmp_path / "nowhere", None, token="t").test_client()
    shown = get(nowhere, "locked")
    assert "There is no workstation in" in shown and "nowhere" in shown and "Make the workstation" in shown
    other = Workstation.open(desk_of(page).folder, PASSPHRASE)
    assert "in use by another program" in unlock(page)
    other.close()
    (desk_of(page).folder / "vault.db").write_bytes(b"")
    assert "vault.db is empty" in unlock(page)
    (desk_of(page).folder / "vault.json").write_bytes(b"{}")
    assert "vault.json is damaged" in get(page, "locked")


def test_lock_leaves_nothing_of_the_vault(page: FlaskClient) -> None:
    """After Lock the vault is closed for others to open, and no object that held its key or texts is left; what was
    searched for is forgotten too."""
    unlock(page)
    name = case_of(page)
    get(page, f"case/{name}")
    post(page, "search", words="third floor")
    session = desk_of(page).session
    station = session.workstation
    held = [weakref.ref(each) for each in (session, station, station.vault, station.trust, station.vault.session)]
    del session, station
    assert "Unlock the workstation" in post(page, "lock")
    gc.collect()
    assert [each() for each in held] == [None] * 5 and is_free(page)
    assert "third floor" not in page.get(f"/t/case/{name}", base_url=HOST, follow_redirects=True).text
    unlock(page)
    assert "third floor" not in get(page, "found") and "third floor" in get(page, f"case/{name}")


def test_it_locks_after_time_without_use(page: FlaskClient) -> None:
    """What a person asks for counts, from its end; a page that puts itself away, or a picture of style, does not."""
    unlock(page)
    name = case_of(page)
    for minute in range(10, 41, 10):
        NOW[0] = minute * MINUTE
        get(page, f"case/{name}")
    for minute in (45, 50, 54):
        NOW[0] = minute * MINUTE
        assert "is still open" in get(page, "locked") and get(page, "static/style.css") and get(page, "away.css")
        desk_of(page).tick()
        assert not desk_of(page).is_locked
    NOW[0] = 55 * MINUTE
    desk_of(page).tick()
    assert desk_of(page).is_locked and is_free(page)
    unlock(page)
    NOW[0] = 71 * MINUTE
    assert page.get(f"/t/case/{name}", base_url=HOST).location == "/t/locked" and desk_of(page).is_locked


def test_a_laptop_that_slept_is_locked(page: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock that stands still during sleep is not the only one that counts."""
    desk_of(page).clocks = desks.CLOCKS
    unlock(page)
    desk_of(page).clocks = (time.monotonic, lambda: time.time() + 16 * MINUTE)
    desk_of(page).tick()
    assert desk_of(page).is_locked


def test_a_lock_waits_for_what_is_under_way(world: World, page: FlaskClient) -> None:
    """An exchange that takes longer than the idle time is finished first, and counts to its end."""
    unlock(page)
    desk, began, go_on = desk_of(page), threading.Event(), threading.Event()

    def carry() -> list[str]:
        began.set()
        go_on.wait(30)
        NOW[0] = 20 * MINUTE
        return ["The server was asked."]

    desk.session.courier = carry
    world.carrier.inbox(world.stick)
    answers: list[str] = []
    other = page.application.test_client()
    thread = threading.Thread(target=lambda: answers.append(post(other, "carry")))
    thread.start()
    assert began.wait(30)
    NOW[0] = 16 * MINUTE
    desk.tick()
    go_on.set()
    thread.join()
    assert "The server was asked." in answers[0] and not desk.is_locked


def test_what_was_typed_comes_back(page: FlaskClient) -> None:
    """A text that reaches the locked page is not signed; it is kept sealed, and is back in its form after unlocking.
    So is one that was refused before the lock."""
    unlock(page)
    name = case_of(page)
    post(page, f"case/{name}/status", status="open", deadline="soon", text="A reason in full")
    NOW[0] = 16 * MINUTE
    shown = post(page, f"case/{name}/reply", text="We look into it, quietly.", mark="")
    assert "was not sent. It is kept, sealed" in shown and "quietly" not in shown
    kept = repr(vars(desk_of(page)))
    assert "quietly" not in kept and "in full" not in kept and kept.count("age-encryption.org") == 2
    unlock(page, "not the passphrase")
    back = unlock(page)
    assert "We look into it, quietly." in back and 'value="A reason in full"' in back and "had locked itself" in back
    [case] = overview.queue(desk_of(page).session.workstation)
    assert [entry.content.kind for entry in case.entries] == ["report"]
    assert "In the tray" in post(page, f"case/{name}/reply", text="We look into it, quietly.", mark="")
    post(page, f"case/{name}/status", status="open")
    [number] = re.findall(r"/t/tray/(\d+)/change", get(page, "tray"))
    post(page, "lock")
    assert "is kept, sealed" in post(page, f"tray/{number}/change", text="We asked around.", mark="")
    assert "We asked around." in unlock(page) and "We asked around." in get(page, "tray")
    assert "Changed." in post(page, f"tray/{number}/change", text="We asked around.", mark="")
    post(page, "lock")
    assert "so nothing was done" in post(page, "exchange") and "<h1>Cases</h1>" in unlock(page)
    written = {"occasion": "closing", "language": "en", "text": "We end here, {reference}."}
    assert "sealed" not in post(page, "lock") and "is kept, sealed" in post(page, "templates", **written)
    assert "We end here, {reference}." in unlock(page) and "Kept, sealed in the vault" in post(
        page, "templates", **written
    )
    assert "sealed" not in post(page, "lock")
    clocks = {f"{name}-{part}": "7" for name in duty_pages.CLOCKS for part in ("count", "unit")}
    office = {**clocks, "weekend": ["4", "5"], "free": "2026-12-24\n12-25", "first": "", "last": "", "cover": ""}
    assert "is kept, sealed" in post(page, "office", **office)
    shown = unlock(page)
    assert "2026-12-24\n12-25</textarea>" in shown and re.findall(r'value="(.)" checked', shown) == ["4", "5"]
    post(page, "lock")


def test_a_page_that_is_left_alone_puts_itself_away(page: FlaskClient) -> None:
    """Pages ask for the locked one once it is locked; one in which somebody may be writing hides what it shows."""
    unlock(page)
    name = case_of(page)
    for path in ("", "found", "saved"):
        assert page.get(f"/t/{path}", base_url=HOST).headers["Refresh"] == "902; url=/t/locked"
    for path in (f"case/{name}", "tray", "templates", "office", "locked", "viewer", "static/style.css"):
        assert "Refresh" not in page.get(f"/t/{path}", base_url=HOST).headers
    assert 'class="away said"' in get(page, f"case/{name}") and "--idle: 900s" in get(page, "away.css")


def test_it_locks_by_itself_while_it_is_served(page: FlaskClient) -> None:
    """No request is needed: the program that serves the page looks at the clock."""
    server, address, desk = local_server.serve(desk_of(page).folder, None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        body, origin = urllib.parse.urlencode({"passphrase": PASSPHRASE}).encode(), "/".join(address.split("/")[:3])
        request = urllib.request.Request(f"{address}unlock", body, {"Origin": origin})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert "<h1>Cases</h1>" in answer.read().decode()
        assert not desk.is_locked
        desk.clocks = (lambda: time.monotonic() + 16 * MINUTE,)
        end = time.monotonic() + PATIENCE
        while not desk.is_locked and time.monotonic() < end:
            time.sleep(0.01)
        assert desk.is_locked and is_free(page)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        desk.close()


def test_strangers_neither_unlock_nor_keep_it_open(page: FlaskClient) -> None:
    """Forms of other pages neither guess, lock, nor count as use."""
    for path in ("unlock", "lock"):
        refused = page.post(
            f"/t/{path}", base_url=HOST, headers={"Origin": "http://evil.example"}, data={"passphrase": PASSPHRASE}
        )
        assert refused.status_code == 403 and desk_of(page).is_locked
    unlock(page)
    NOW[0] = 14 * MINUTE
    assert page.get("/t/", base_url="http://evil.example").status_code == 403
    assert page.post("/t/lock", base_url=HOST, headers={**ORIGIN, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert not desk_of(page).is_locked
    NOW[0] = 15 * MINUTE
    desk_of(page).tick()
    assert desk_of(page).is_locked
