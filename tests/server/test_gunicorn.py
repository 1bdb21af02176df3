"""What our worker relies on of gunicorn beyond what it documents: a new version that changes it fails here."""

import inspect
from pathlib import Path

import pytest
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import parser, unreader, wsgi  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from whistle.server.config import Config
from whistle.server.running.gunicorn import Application
from whistle.server.running.worker import Answer, Worker

SIGNATURES = {
    "get_thread_pool": "(self)",
    "run": "(self)",
    "notify": "(self)",
    "set_accept_enabled": "(self, enabled)",
    "init_signals": "(self)",
    "handle_quit": "(self, sig, frame)",
    "accept": "(self, listener)",
    "finish_request": "(self, conn, fs)",
    "murder_pending": "(self)",
    "handle": "(self, conn)",
    "handle_error": "(self, req, client, addr, exc)",
    "_keepalive_after": "(self, conn, keepalive)",
}


def test_what_is_overridden_is_still_there() -> None:
    """Every method that our worker replaces has the same name and parameters in gunicorn's."""
    ours = {name for name, each in vars(Worker).items() if callable(each) and hasattr(ThreadWorker, name)}
    assert ours - {"__init__", "__module__", "__doc__"} == set(SIGNATURES)
    assert {name: str(inspect.signature(getattr(ThreadWorker, name))) for name in SIGNATURES} == SIGNATURES


def test_gunicorn_calls_what_is_overridden() -> None:
    """The loop looks at whose time is over, threads answer by way of `handle`, and its end comes back."""
    assert inspect.getsource(ThreadWorker.run).count("self.murder_pending()") == 2
    assert "self.nr_conns < self.worker_connections" in inspect.getsource(ThreadWorker.run)
    assert "self.tpool.submit(self.handle, conn)" in inspect.getsource(ThreadWorker.enqueue_req)
    assert "self.finish_request, conn, fut" in inspect.getsource(ThreadWorker.enqueue_req)
    assert "not conn.initialized and not conn.data_ready" in inspect.getsource(ThreadWorker.handle)
    assert "self._keepalive_after(conn" in inspect.getsource(ThreadWorker.handle)


def test_a_connection_is_read_and_written_by_what_ours_has() -> None:
    """Only `recv`, `sendall`, `send`, `setblocking` and `close` are asked of it, and our response makes its headers."""
    assert "self.sock.recv(" in inspect.getsource(unreader.SocketUnreader.chunk)
    assert "sock.sendall(data)" in inspect.getsource(util.write)
    assert 'sock.send(b"HTTP/1.1 100 Continue' in inspect.getsource(wsgi.create)
    assert '"gunicorn.socket": sock' in inspect.getsource(wsgi.default_environ)
    assert str(inspect.signature(TConn.__init__)) == "(self, cfg, sock, client, server)"
    assert "take_buffered" in dir(unreader.Unreader) and "finish_body" in dir(parser.Parser)
    assert issubclass(Answer, wsgi.Response) and "default_headers" in dir(wsgi.Response)


@pytest.mark.parametrize("peer", ["", b"", ("127.0.0.1", 1)])
def test_no_visitor_is_taken_for_a_proxy(tmp_path: Path, peer: object) -> None:
    """Also by a unix socket, whose peers gunicorn trusts, nobody says which path or scheme was asked for."""
    app = Application(Config(tmp_path))
    head = b"GET /en/ HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /other\r\nX-Forwarded-Proto: https\r\n\r\n"
    request = next(parser.RequestParser(app.cfg, [head], peer))
    environ = wsgi.create(request, None, peer, ("127.0.0.1", 80), app.cfg)[1]
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["wsgi.url_scheme"]) == ("", "/en/", "http")
