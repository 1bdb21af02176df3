"""The courier's client for the server's HTTP interface: signs every request, checks every answer.

It follows no redirects, stores no cookies, takes no proxy from the environment and never prints the server's address.
"""

import base64
import contextlib
import hashlib
import http.cookiejar
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import requests
import urllib3.exceptions
from nacl.signing import SigningKey

from whistle.courier.errors import BadServer, Refused, ServerAway
from whistle.protocol import canonical
from whistle.protocol.transfer import courier_auth, tar

TIMEOUT = (60, 180)  # seconds: to connect (an onion service takes long), between two bytes
MAX_ANSWER = 64 * 1024**2  # bytes of one JSON answer

Progress = Callable[[str, int, int], None]
AWAY = "see that this machine is online, that the address is right and, for an onion address, that Tor runs"


@dataclass(frozen=True)
class Server:
    """The server's address, and a SOCKS proxy (`socks5h://…`) or None."""

    url: str
    proxy: str | None = None


class Upload:
    """A file of known length that reports how far it was read."""

    def __init__(self, file: BinaryIO, length: int, progress: Progress) -> None:
        self._file, self._length, self._progress, self._done = file, length, progress, 0

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """The next bytes for the connection."""
        data = self._file.read(size)
        self._done += len(data)
        self._progress("push", self._done, self._length)
        return data


class Download:
    """The body of an answer; a broken connection is ServerAway."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, b"" at the end."""
        try:
            data: bytes = self._response.raw.read(size)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise ServerAway("the connection to the server broke", "run the same command again; it goes on") from exc
        return data


class Link:
    """Requests of one courier to one server. `id` is the courier's id in the manifest."""

    def __init__(self, server: Server, key: SigningKey, id: str = "", clock: Callable[[], float] = time.time) -> None:
        self.id = id
        self._server, self._key, self._clock = server, key, clock
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        if server.proxy:
            self._session.proxies = {"http": server.proxy, "https": server.proxy}

    def public(self, name: str) -> bytes | None:
        """A published file, None if there is none. Raises ServerAway, BadServer."""
        with self._send("GET", f"/{name}") as response:
            if response.status_code == requests.codes.not_found:
                return None
            self._refuse_errors(response)
            return _answer(response)

    def ask(self, path: str, question: object) -> Any:
        """The JSON answer to a JSON question. Raises ServerAway, Refused, BadServer."""
        body = canonical.dumps(question)
        with self._send("POST", path, body, hashlib.sha256(body).digest()) as response:
            self._refuse_errors(response)
            return _json(response)

    @contextlib.contextmanager
    def fetch(self, envelopes: Sequence[bytes], blocks: Sequence[bytes]) -> Iterator[tar.Reader]:
        """A tar of those that the server still has, at most 500 of each kind. Raises ServerAway, Refused."""
        question = {"envelopes": [id.hex() for id in envelopes], "blocks": [id.hex() for id in blocks]}
        body = canonical.dumps(question)
        with self._send("POST", "/courier/fetch", body, hashlib.sha256(body).digest()) as response:
            self._refuse_errors(response)
            yield tar.Reader(Download(response))

    def push(self, file: BinaryIO, length: int, digest: bytes, progress: Progress) -> Any:
        """The JSON answer to an outbox part whose list has the SHA-256 `digest`. Raises ServerAway, Refused."""
        with self._send("POST", "/courier/push", Upload(file, length, progress), digest) as response:
            self._refuse_errors(response)
            return _json(response)

    @contextlib.contextmanager
    def _send(self, method: str, path: str, body: Any = b"", digest: bytes = b"") -> Iterator[requests.Response]:
        headers = self._signed(method, path, digest) if digest else {}
        try:
            response = self._session.request(
                method,
                self._server.url.rstrip("/") + path,
                data=body,
                headers={"Accept-Encoding": "identity", "User-Agent": "whistle-courier", **headers},
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            )
        except requests.exceptions.SSLError as exc:
            raise ServerAway("the server's certificate is not good", "ask the operator; nothing was sent") from exc
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise ServerAway("the server cannot be reached", AWAY) from exc
        with contextlib.closing(response):
            yield response

    def _signed(self, method: str, path: str, digest: bytes) -> dict[str, str]:
        now = int(self._clock())
        signature = courier_auth.sign_request(self._key, method, path, now, digest.hex())
        return {
            "Whistle-Courier": self.id,
            "Whistle-Time": str(now),
            "Whistle-Digest": digest.hex(),
            "Whistle-Signature": base64.b64encode(signature).decode("ascii"),
        }

    def _refuse_errors(self, response: requests.Response) -> None:
        if response.status_code == requests.codes.ok:
            return
        answer = _json(response) if response.headers.get("Content-Type", "").startswith("application/json") else None
        if not isinstance(answer, dict):
            raise Refused(f"the server answered with an error ({response.status_code})", "ask the operator")
        what, hint = (_line(answer.get(field)) for field in ("error", "hint"))
        raise Refused(f"the server refused: {what or response.status_code}", hint or "ask the operator")


def _answer(response: requests.Response) -> bytes:
    data, download = b"", Download(response)
    while piece := download.read(tar.PIECE):
        data += piece
        if len(data) > MAX_ANSWER:
            raise BadServer("the server's answer has no end", "ask the operator whether this is the right server")
    return data


def _json(response: requests.Response) -> Any:
    try:
        return json.loads(_answer(response))
    except ValueError as exc:
        raise BadServer("the server's answer is not of the known form", "ask the operator for its version") from exc


def _line(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text if letter.isprintable())[:200]
