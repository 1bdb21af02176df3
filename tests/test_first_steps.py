"""A new user who mistypes: each command prints one line of what is wrong and one of what to do, and does nothing."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests import program
from whistle.ceremony import root as roots
from whistle.cli import prompts
from whistle.cli.main import cli
from whistle.courier import folder as couriers
from whistle.server.errors import StartError
from whistle.server.running import gunicorn
from whistle.server.running import setup as servers

PASSPHRASE = b"a passphrase of some length\n"
URLS = [
    "", "x", "ftp://x", "http://", "http:///x", "https://[", "http://a:b", "http://a:99999", "http://a:0",
    "http://exa mple", "http://x\n", "http://user:secret@h", "http://\u00e9.example",
]  # fmt: skip
PROXIES = ["x", "socks5://x", "socks5h://", "socks5h://a:b", "socks5h://127.0.0.1:99999", "socks5h://["]
INIT = ["workstation", "init", "--folder", "vault", "--no-backup", "--public", "me.reviewer", "--name", "A"]
SIGN = ["root", "sign", "--yes"]
COURIER = ["courier", "init", "--folder", "courier", "--root", "keys/root-1.pub", "--name", "C", "--server"]
MISTYPED = [
    *([*SIGN, "--collection", days] for days in ("moonday", "mo", "", ", ,", "monday;friday")),
    *([*SIGN, "--from", day] for day in ("tomorrow", "31.12.2026", "1999-12-31", "9999-12-31", "0001-01-01")),
    *([*SIGN, "--days", days] for days in ("0", "101", "x", "-1")),
    *([*SIGN, "--slots", slots] for slots in ("1", "17", "x")),
    *([*SIGN, "--channel", said] for said in ("a", "=b", "A B=r", "x=", "\u00e9=r")),
    *([*SIGN, "--retire", id] for id in ("A B", "", "x" * 33)),
    *([*SIGN, "--roll", said] for said in ("a", "=me", "A B=me")),
    *([*SIGN, option, name] for option in ("--reviewer", "--courier", "--organisation") for name in ("none", "folder")),
    *([*SIGN, option, "file"] for option in ("--reviewer", "--courier", "--organisation", "--keys", "--stick")),
    [*SIGN, "--organisation", "odd.toml"],
    ["root", "show", "--keys", "file"],
    ["root", "init", "--key", "file/x", "--keys", "file"],
    *([*INIT, "--role", role] for role in ("x" * 129, "a\nb", "\u3164", "a\u200bb")),
    *([*INIT, "--role", "R", "--language", code] for code in ("English", "", "e", "en,English", "en-")),
    [*INIT, "--role", "R", "--folder", "file"],
    [*INIT, "--role", "R", "--folder", "file/x"],
    [*INIT, "--role", "R", "--root", "file"],
    [*INIT, "--role", "R", "--root", "folder"],
    *([*COURIER, url] for url in URLS),
    *([*COURIER, "https://h", "--proxy", proxy] for proxy in PROXIES),
    *([*COURIER, "https://h", "--name", name] for name in ("", "x" * 129, "a\nb", "a\u202eb")),
    *([*COURIER, "https://h", "--root", name] for name in ("file", "folder", "none")),
    [*COURIER, "https://h", "--folder", "file"],
    *(["courier", "move", "--folder", "other", "--server", url] for url in URLS),
    *(["courier", step, "none", "--folder", "other"] for step in ("push", "pull", "exchange")),
    *(["server", "init", "--folder", "server", "--bind", at] for at in ("", "x", "h:0", "h:99999", "h:x", "unix:")),
    *(["server", "init", "--folder", "server", "--keys", name] for name in ("none", "file", "folder")),
    *(["server", step, "--folder", name] for step in ("run", "purge") for name in ("none", "file", "folder")),
    ["ceremony", "file"],
    *(["ceremony", "new", "--port", port] for port in ("0", "x", "65536")),
    *(["workstation", "restore", name, "--folder", "vault"] for name in ("none", "file", "folder")),
]  # fmt: skip
SECRET = ("root sign", "root init", "workstation init", "workstation restore")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a root's published key, another courier, and things that are not what they should be."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "file").write_text("x")
    (folder / "folder").mkdir()
    (folder / "odd.toml").write_text("channels = 3\n")
    secret = roots.SecretKey.generate()
    roots.write_secret(folder / "root.key", roots.key_file(secret, PASSPHRASE.decode().strip(), 8))
    roots.Keys.read(folder / "keys").add_root(secret.public)
    couriers.create(folder / "other", couriers.Settings("https://h", "C", (secret.public,), None))
    yield folder


def listed(folder: Path) -> set[str]:
    """All that lies there."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("typed", MISTYPED, ids=" ".join)
def test_what_is_mistyped_is_told_in_two_lines(place: Path, typed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no traceback, nothing half made, and no error that only a programmer understands."""
    monkeypatch.chdir(place)
    before = listed(place)
    given = ["--passphrase-fd", "0"] if " ".join(typed[:2]) in SECRET else []
    monkeypatch.setenv("WHISTLE_VAULT_PROFILE", "test")
    done = program.run(*typed, *given, input=PASSPHRASE)
    said = done.stderr.decode()
    lines = [line for line in said.splitlines() if line.startswith(("whistle: error: ", "hint: "))]
    assert done.returncode in (1, 2) and "Traceback" not in said, said
    assert [line.partition(": ")[0] for line in lines] == ["whistle", "hint"], said
    assert not any(word in said for word in ("object has no", "not of the form", "NoneType", "<class", "secret@"))
    made = listed(place) - before
    assert all(name.startswith("server") or name.endswith(".lock") for name in made), made


def test_days_and_languages_as_people_write_them() -> None:
    """`mon, THU` are Monday and Thursday; letters' case, repetition and the underscore do not matter."""
    assert prompts.weekdays("mon, THU monday") == ("monday", "thursday")
    assert prompts.languages("EN, pt_BR en") == ("en", "pt-br")


def test_a_second_server_at_a_live_socket_is_refused(tmp_path: Path) -> None:
    """The socket of one that was killed is taken over; that of one that answers, or is busy, is not touched."""
    at = tmp_path / "socket"
    bind = f"unix:{at}"
    servers.make(tmp_path / "server", bind=bind)
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(str(at))
        first.listen(1)
        for busy in range(3):
            with pytest.raises(StartError, match="another server is using this socket"):
                gunicorn._check_address(bind)
            assert at.is_socket(), busy
    gunicorn._check_address(bind)  # closed: nobody answers
    at.unlink()
    gunicorn._check_address(bind)
    at.write_text("no socket")
    with pytest.raises(StartError, match="is not a socket"):
        gunicorn._check_address(bind)
    assert at.read_text() == "no socket"
    with pytest.raises(StartError, match="folder of the socket"):
        gunicorn._check_address(f"unix:{tmp_path}/none/socket")
    for long in ("x" * 120, "x" * 300 + "/socket"):
        with pytest.raises(StartError, match="cannot be used"):
            gunicorn._check_address(f"unix:{tmp_path}/{long}")


def test_the_second_server_leaves_the_first_alone(tmp_path: Path) -> None:
    """`whistle server run` for another folder, but at the same socket, ends with two lines."""
    at = tmp_path / "socket"
    servers.make(tmp_path / "second", bind=f"unix:{at}")
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(str(at))
        first.listen(8)
        done = CliRunner().invoke(cli, ["server", "run", "--folder", str(tmp_path / "second")])
        assert done.exit_code == 1, done.output
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(str(at))
