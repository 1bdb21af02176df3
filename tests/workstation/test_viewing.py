"""Looking at files at the local page: who is given which bytes under which policy, and what is saved in clear."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.workstation.carrying import World, attach
from tests.workstation.test_app import HOST, ORIGIN, case_of, get, post
from whistle.translations import catalogues
from whistle.workstation import language
from whistle.workstation.app import viewer_frame, viewing
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import clear_files
from whistle.workstation.errors import WorkstationError

CONTENT = b"<script>1</script>" * 9


@pytest.fixture
def page(world: World) -> FlaskClient:
    """The page of the ombudsperson, with one report that has two files, of one of which nothing has come."""
    (blocks, first), (_, second) = attach(CONTENT, "plan</title>.docm"), attach(b"later", "later.txt")
    world.carrier.put_blocks(blocks)
    world.report(attachments=(first, second))
    app = create_app(world.station("ombuds"), world.stick, saved=world.folder / "saved", token="t")
    world.round("ombuds")
    return app.test_client()


def file_of(page: FlaskClient) -> str:
    """The path of the first file's page."""
    [found] = re.findall(r'href="/t/([^"]*/file/[^"]*)"', get(page, f"case/{case_of(page)}"))
    return str(found)


def ask(page: FlaskClient, path: str, body: bytes = b"", **headers: str) -> TestResponse:
    """What the page's program is answered."""
    return page.post(f"/t/{path}", base_url=HOST, headers={**ORIGIN, **headers}, data=body)


def policy(answer: TestResponse) -> dict[str, list[str]]:
    """The directives of a policy."""
    directives = [each.split() for each in answer.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in directives}


def test_the_frame_may_load_nothing(page: FlaskClient) -> None:
    """It has no origin, runs its own program alone, and nothing is fetched; all that it needs is in it."""
    answer = page.get("/t/viewer", base_url=HOST)
    told = policy(answer)
    blobs = {"img-src": ["blob:", "data:"], "media-src": ["blob:"], "worker-src": ["blob:"]}
    own = {"sandbox": ["allow-scripts"], "frame-ancestors": ["'self'"], **blobs}
    assert {name: told.pop(name) for name in own} == own
    for part in ("script", "style"):
        [content] = re.findall(f"<{part}>(.*?)</{part}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert told.pop(f"{part}-src") == [f"'sha256-{digest}'"]
    assert set(map(tuple, told.values())) == {("'none'",)} and "default-src" in told and "connect-src" in told
    assert answer.text.count("<script") == 2 and not re.search(r'(src|href)="', answer.text[:500])
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Connection-Allowlist"] == "()"


def test_the_page_of_a_file_runs_one_program(page: FlaskClient) -> None:
    """It may run `look.js`, show the frame and ask for this file; cases' pages run nothing, and no address names a case
    or a message."""
    path = file_of(page)
    told = policy(page.get(f"/t/{path}", base_url=HOST))
    assert told["script-src"] == [f"{HOST}/t/static/look.js"] and told["frame-src"] == [f"{HOST}/t/viewer"]
    assert told["connect-src"] == [f"{HOST}/t/{path}"] and told["default-src"] == ["'none'"]
    assert "script-src" not in policy(page.get(f"/t/case/{case_of(page)}", base_url=HOST))
    station = page.application.config["WHISTLE_DESK"].session.workstation
    [case] = station.case_ids()
    [message] = station.hashes(case)
    assert case not in path and message not in path and "plan" not in path
    shown = get(page, path)
    assert "plan&lt;/title&gt;.docm" in shown and "<title>Workstation</title>" in shown


def test_bytes_are_for_the_program_alone(page: FlaskClient) -> None:
    """They are given to a POST of this page's, as bytes that no browser shows or keeps; not to a form or an address."""
    path = file_of(page) + "bytes"
    answer = ask(page, path)
    assert answer.data == CONTENT and answer.mimetype == "application/octet-stream"
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert page.get(f"/t/{path}", base_url=HOST).status_code == 405
    assert ask(page, path, **{"Sec-Fetch-Dest": "document"}).status_code == 403
    assert ask(page, path, Origin="null").status_code == 403
    assert ask(page, path, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_what_is_not_whole_or_too_large_is_not_shown(page: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of an incomplete file is given out; a larger file than the page takes can be saved but not looked at."""
    path = file_of(page)
    other = path[:-2] + "1/"
    assert "Not all of this file has come yet" in get(page, other) and ask(page, other + "bytes").status_code == 409
    assert page.get(f"/t/{path[:-2]}2/", base_url=HOST).status_code == 404
    monkeypatch.setattr(viewing, "MAX_VIEWED", len(CONTENT) - 1)
    assert ask(page, path + "bytes").status_code == 409
    shown = get(page, path)
    assert "are not shown here" in shown and "Save the original" in shown and 'id="look"' not in shown


def test_a_clean_copy_is_saved_as_it_is(world: World, page: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are saved under the file's name, within bounds; nothing is parsed, overwritten, or saved elsewhere."""
    path = file_of(page) + "clean?page="
    for number, body in ((1, b"one"), (2, b"two"), (1, b"again")):
        assert ask(page, f"{path}{number}", body).status_code == 200
    [folder] = (world.folder / "saved").iterdir()
    found = {each.name: each.read_bytes() for each in folder.iterdir()}
    title = "title_"
    assert found == {f"{title}-clean.png": b"one", f"{title}-clean-2.png": b"two", f"{title}-clean (2).png": b"again"}
    monkeypatch.setattr(viewing, "MAX_PICTURE", 2)
    for number, body in (("1", b"big"), ("1", b""), ("51", b"a"), ("", b"a")):
        assert ask(page, path + number, body).status_code == 400


def test_what_was_saved_is_listed_and_removed(world: World, page: FlaskClient) -> None:
    """The list has what lies in the folders of cases and removes what is ticked; it neither shows nor follows links."""
    ask(page, file_of(page) + "clean?page=1", b"one")
    [folder] = (world.folder / "saved").iterdir()
    outside = world.folder / "outside.txt"
    outside.write_text("stays")
    (folder / "link.txt").symlink_to(outside)
    (world.folder / "saved" / "linked").symlink_to(world.folder)
    (folder / "photo.jpg").write_text("photo")
    assert "2 files in clear outside the vault" in get(page)
    shown = get(page, "saved")
    assert "photo.jpg" in shown and "-clean.png" in shown and "link.txt" not in shown and "outside.txt" not in shown
    values = re.findall(r'name="file" value="([0-9a-f]+)"', shown)
    assert len(values) == 2
    data = {"file": [*values, "0" * 32]}
    page.post("/t/saved/remove", base_url=HOST, headers=ORIGIN, data=data)
    assert "Removed: 2 of 3 files." in get(page, "saved")
    assert outside.read_text() == "stays" and [each.name for each in folder.iterdir()] == ["link.txt"]


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("photo.JPG", "photo.JPG"),
        ("report.pdf", "report.pdf"),
        ("README", "README"),
        ("a.exe", "a.exe.unsafe"),
        ("a.pdf.lnk", "a.pdf.lnk_.unsafe"),
        ("a.docm", "a.docm.unsafe"),
        ("a.svg", "a.svg.unsafe"),
        ("a.html", "a.html.unsafe"),
        ("a.newkind", "a.newkind.unsafe"),
        ("a.jpg.ｅｘｅ", "a.jpg.ｅｘｅ.unsafe"),
        ("a.exe.", "a.exe.unsafe"),
        ("a.exe\u200b", "a.exe.unsafe"),
        ("x" * 400 + ".exe", "x" * 189 + ".exe.unsafe"),
    ],
)
def test_endings_that_may_run_something_are_made_harmless(name: str, saved: str) -> None:
    """Only endings that viewers and players open stay; any other gets one more."""
    assert clear_files.harmless(name) == saved and len(clear_files.harmless(name).encode()) <= 200
    assert clear_files.harmless(saved) == saved


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A copy that cannot be saved is an error of this program's, with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkstationError) as told:
        clear_files.save_clean("a.jpg", b"picture", 1, tmp_path / "file" / "folder")
    assert told.value.hint


@pytest.mark.usefixtures("arabic")
def test_the_viewer_is_given_its_words(page: FlaskClient) -> None:
    """In the page's language, from the page itself, with each form of a plural; the frame is one for all languages."""
    assert post(page, "language", language="ar")
    shown = get(page, file_of(page))
    [words] = re.findall(r'data-words="([^"]*)"', shown)
    given = json.loads(html.unescape(words))
    assert (given["language"], given["direction"]) == ("ar", "rtl") and "«" in given["texts"]["viewer.opening"]
    own = {key for key in catalogues.english(catalogues.WORKSTATION) if key.startswith(viewer_frame.TEXTS)}
    assert set(given["texts"]) == own and isinstance(given["texts"]["viewer.copied"], dict)
    with language.on_page("ar"):
        spoken = viewer_frame.document()
    assert viewer_frame.document() == spoken
