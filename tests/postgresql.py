"""PostgreSQL for tests: a schema of one's own, and a line to it that can be cut."""

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, make_url, text

POSTGRESQL = os.environ.get("WHISTLE_TEST_POSTGRESQL", "")


@contextlib.contextmanager
def schema() -> Iterator[str]:
    """The URL of an empty schema, which is dropped afterwards."""
    if not POSTGRESQL:
        pytest.skip("WHISTLE_TEST_POSTGRESQL names no PostgreSQL server")
    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(POSTGRESQL, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        try:
            yield make_url(POSTGRESQL).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(False)
        finally:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


class Line:
    """Forwards a port of this machine to a database; while it is cut, the database is away, as while it restarts."""

    def __init__(self, url: str) -> None:
        there = make_url(url)
        self._there = there.host or "127.0.0.1", there.port or 5432
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port: int = probe.getsockname()[1]
        self.url = there.set(host="127.0.0.1", port=self._port).render_as_string(False)
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def mend(self) -> None:
        """Let connections through."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        if self._listener:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self._listener = None
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, far = listener.accept()[0], socket.create_connection(self._there)
                self._open += [near, far]
                if self._listener is not listener:  # cut in this moment
                    near.shutdown(socket.SHUT_RDWR)
                for one, two in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(one, two), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
    source.close()


@contextlib.contextmanager
def line_to(url: str) -> Iterator[Line]:
    """A line to this database, which lets connections through."""
    line = Line(url)
    line.mend()
    try:
        yield line
    finally:
        line.cut()
