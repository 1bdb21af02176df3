"""A visitor who plants secrets on a server, and a search for them in every file that it has."""

import http.client
import secrets
import socket
from pathlib import Path

from tests.patience import PATIENCE
from tests.server.visitor import Page
from tests.trial.planted import files_of, found_in, secrets_of
from tests.trial.serving import BOUNDARY, Server, Upload
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive

ADDRESS = "127.0.0.77"  # of the visitor
MARK = secrets.token_hex(16)
LINE = f"A line of evidence, {MARK}, and so on.\n".encode()
HEADERS = {"User-Agent": f"Mozilla {MARK}", "Referer": f"http://{MARK}/", "Accept-Language": f"en, x-{MARK[:8]}"}
TOO_LATE = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="late"\r\n\r\n{MARK}\r\n'.encode()


class Watched:
    """A server whose files are searched for what was planted."""

    def __init__(self, server: Server, *folders: Path) -> None:
        self.server = server
        self._folders = (server.folder, *folders)
        self._words: list[bytes] = []
        self.everything = [MARK.encode(), ADDRESS.encode()]  # that was ever planted

    def plant(self, typed: str) -> None:
        """Look for these twelve words too, and for every key and token that follows from them."""
        self._words = secrets_of(typed)
        self.report_id = derive(words.decode(typed)).report_id
        self.everything += self._words
        self.search()

    def search(self) -> None:
        """Fail if any file holds anything of it."""
        pids = [self.server.processes[-1].pid, self.server.worker]
        planted = [MARK.encode(), ADDRESS.encode(), *self._words]
        assert found_in(planted, files_of(pids, *self._folders)) == []

    def connect(self) -> socket.socket:
        """A connection from the visitor's address."""
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE, source_address=(ADDRESS, 0))

    def post(self, body: bytes, pauses: int = 0, **headers: str) -> tuple[int, Page]:
        """The answer to a form; searches after each of some equal parts of it, before the next is sent."""
        with self.connect() as connection:
            given = {**HEADERS, **headers, "Content-Length": str(len(body)), "Host": f"{MARK}.example"}
            lines = [f"POST /en/?q={MARK} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            part = max(1, len(body) // (pauses + 1))
            for start in range(0, len(body), part):
                connection.sendall(body[start : start + part])
                if pauses:
                    self.search()
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            found = answer.status, Page(answer.read().decode())
        self.search()
        return found

    def form(self, **fields: str) -> Page:
        """The page that follows a small form."""
        body = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields.items()).encode()
        return self.post(body, **{"Content-Type": "application/x-www-form-urlencoded"})[1]


def upload(size: int) -> bytes:
    """A report with a file, all of it planted."""
    content = (LINE * (size // len(LINE) + 1))[:size]
    made = Upload(f"What happened: {MARK}", size, lambda: [content], f"{MARK}.txt", secrets.token_hex(32))
    return b"".join(made.pieces())


def words_in(page: Page) -> str:
    """The words in a page's hidden field."""
    return next(value for form in page.forms for name, value in form.fields if name == "words")
