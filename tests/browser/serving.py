"""A server for browsers, behind a line that keeps every byte that it was sent and that can be told to fail."""

import contextlib
import io
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from werkzeug.serving import make_server

Fault = Callable[[str, int], str]
Answer = Callable[[str, bytes], bytes]


@dataclass
class Line:
    """Keeps what browsers send; `fault` says of a path and its number whether it is cut, lost on the way back, sent by
    half or slowly, refused or altered; `answer` may put another answer in its place."""

    app: Callable[..., Iterable[bytes]]
    fault: Fault = lambda path, number: ""
    answer: Answer | None = None
    asked: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        with self.lock:
            self.asked.append(path)
            number = self.asked.count(path)
        fault = self.fault(path, number)
        if fault == "cut":
            environ["wsgi.input"].read(100_000)
            environ["werkzeug.socket"].close()
            raise ConnectionError
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        heads = "\n".join(f"{name}: {value}" for name, value in environ.items() if isinstance(value, str))
        self.sent.append(heads.encode() + b"\n" + body)
        if fault.isdigit():
            start(f"{fault} Fault", [("Content-Length", "0")])
            return [b""]
        environ["wsgi.input"] = io.BytesIO(body)
        told: list[Any] = []
        if self.answer:
            environ.pop("HTTP_ACCEPT_ENCODING", None)  # it is given what it can read
        answer = b"".join(self.app(environ, lambda *given: told.extend(given)))
        answer = self.answer(path, answer) if self.answer else answer
        start(told[0], [(name, str(len(answer)) if name == "Content-Length" else value) for name, value in told[1]])
        if fault == "half":
            return _half(answer)
        if fault == "slow":
            time.sleep(4)
        if fault == "lost":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError
        return [bytes(byte ^ 1 for byte in answer) if fault == "altered" else answer]


def without_script(path: str, body: bytes) -> bytes:
    """A page for somebody whose browser runs no script."""
    return re.sub(rb"<script.*?</script>", b"", body, flags=re.DOTALL)


def _half(answer: bytes) -> Iterator[bytes]:
    """Half of it; then the connection breaks."""
    yield answer[: len(answer) // 2]
    raise ConnectionError


@contextlib.contextmanager
def serving(app: Callable[..., Iterable[bytes]]) -> Iterator[tuple[str, Line]]:
    """The address of a running server, and its line."""
    line = Line(app)
    server = make_server("127.0.0.1", 0, line, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", line
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
