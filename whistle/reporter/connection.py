"""One reporter's connection to one server, through a SOCKS proxy if there is one, with new attempts if it breaks.

It follows no redirects, stores no cookies, takes nothing from the environment, resolves no names if there is a proxy,
and reveals nothing about this machine.
"""

import contextlib
import http.cookiejar
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import requests

from whistle.reporter.errors import Away, BadServer, Declined, Lost, ReporterError, TooMuch

TIMEOUT = (60, 180)  # seconds: to connect (an onion service takes long), between two bytes
HURRY = (10, 10)  # the same for requests whose answer does not matter
WAITS = (1, 2, 4, 8, 15, 30, 30, 30, 60, 60, 60, 60)  # seconds before each new try
UNMET = 3  # new tries while the server has never answered
MINUTE = 60  # seconds
LONGEST_WAIT = 300  # seconds that the server may ask a client to wait
PIECE = 65_536  # bytes
OCTETS = "application/octet-stream"
OK = (200, 204)
MISSING = 404
LIMITED = 429
PASSING = frozenset({408, 425, LIMITED})  # and all from 500 on, except FULL
FULL, TAKEN, RENEWED, LOST = 507, 409, 412, 424
UNVERIFIED = "CERTIFICATE_VERIFY_FAILED"  # from OpenSSL; other TLS errors are broken connections
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "whistle"}

OnWait = Callable[[ReporterError, int], None]  # called with the reason and the seconds


@dataclass(frozen=True)
class Server:
    """The server's address, and a proxy (`socks5h://host:port`) or None.  Raises ReporterError for bad ones."""

    url: str
    proxy: str | None = None

    def __post_init__(self) -> None:
        parts = _split(self.url)
        host = (parts.hostname or "").lower()
        onion = host.endswith(".onion")
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
            raise ReporterError("the server's address is no address", "it begins with https://, or http:// for .onion")
        if parts.scheme == "http" and not onion and host not in LOCAL:
            raise ReporterError("this address would be open to read on the way", "it must begin with https://")
        if onion and not self.proxy:
            raise ReporterError("an onion address needs Tor", "add --proxy socks5h://127.0.0.1:9050")
        if self.proxy and (_split(self.proxy).scheme != "socks5h" or not _split(self.proxy).port):
            raise ReporterError(
                "the proxy must be a SOCKS proxy", "write it as socks5h://127.0.0.1:9050: names are looked up there"
            )


class Link:
    """Requests to a server; each is repeated while the connection breaks or the server is overloaded."""

    def __init__(self, server: Server, on_wait: OnWait = lambda error, seconds: None) -> None:
        self._url, self._on_wait = server.url.rstrip("/"), on_wait
        self._met = False  # whether the server has ever answered
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        if server.proxy:
            proxy = _isolated(server.proxy)
            self._session.proxies = {"http": proxy, "https": proxy}

    def get(self, name: str, limit: int) -> bytes | None:
        """A published file of at most ``limit`` bytes, None if there is none.  Raises Away, Declined, BadServer."""
        return self._again(lambda: self._ask("GET", f"/{name}", b"", limit))

    def post(self, path: str, body: bytes, limit: int, named: Mapping[str, str] | None = None) -> bytes:
        """The answer of at most ``limit`` bytes; ``named`` are further headers.  Raises Away, Declined, BadServer."""
        answer = self._again(lambda: self._ask("POST", path, body, limit, named))
        if answer is None:
            raise BadServer("this server has no such address", "check the address; the server may be an older one")
        return answer

    def mention(self, path: str, body: bytes) -> None:
        """Post something once and ignore the outcome."""
        with contextlib.suppress(ReporterError), self._sent("POST", path, body, HURRY):
            pass

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _again(self, ask: Callable[[], bytes | None]) -> bytes | None:
        tries = 0
        while True:
            try:
                answer = ask()
            except Away as error:
                if tries >= (len(WAITS) if self._met else UNMET) or error.wait > LONGEST_WAIT:
                    raise
                seconds = max(WAITS[tries], error.wait)
                tries += 1
                self._on_wait(error, seconds)
                time.sleep(seconds)
            else:
                self._met = True
                return answer

    def _ask(
        self, method: str, path: str, body: bytes, limit: int, named: Mapping[str, str] | None = None
    ) -> bytes | None:
        with self._sent(method, path, body, named=named) as response:
            if response.status_code == MISSING:
                return None
            if response.status_code not in OK:
                self._met = self._met or response.status_code in PASSING
                raise _error(response)
            return _body(response, limit)

    @contextlib.contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        body: bytes,
        timeout: tuple[int, int] | None = None,
        named: Mapping[str, str] | None = None,
    ) -> Iterator[requests.Response]:
        headers = {**HEADERS, **({"Content-Type": OCTETS} if method == "POST" else {}), **(named or {})}
        try:
            with self._session.request(
                method,
                self._url + path,
                data=body,
                headers=headers,
                timeout=timeout or TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                yield response
        except requests.exceptions.RequestException as exc:
            if UNVERIFIED in str(exc):
                raise BadServer("the server's certificate is not good", "check the address; nothing was sent") from exc
            raise Away(
                "the server cannot be reached, or the connection broke",
                "see that you are online, that the address is right and, for an onion address, that Tor runs",
            ) from exc


def _body(response: requests.Response, limit: int) -> bytes:
    data = bytearray()
    for piece in response.iter_content(PIECE):
        data += piece
        if len(data) > limit:
            raise BadServer("the server's answer has no end", "check whether this is the right address")
    return bytes(data)


def _error(response: requests.Response) -> ReporterError:
    """The error for a response without success."""
    status = response.status_code
    if status == FULL:
        return Declined("the server is full; it kept nothing of this", "keep your text and try again tomorrow")
    if status == TAKEN:
        return Declined("something else is stored there already", "run the command again from its beginning")
    if status == RENEWED:
        return Declined(
            "the list of readers has changed since you began; nothing of this was stored",
            "see that this computer's date is right, and run the command again: it shows who reads now",
        )
    if status == LOST:
        return Lost("the server has lost files of this message before it was stored", "send it again")
    wait = _seconds(response.headers.get("Retry-After", ""))
    if status == LIMITED:
        return _too_much(wait)
    if status in PASSING or status >= 500:
        wait = min(wait, LONGEST_WAIT)
        return Away("the server cannot answer now ({status})", "wait some minutes, then try again", wait, status=status)
    return BadServer(
        "the server does not understand this ({status})",
        "check the address; use the version that the operator runs",
        status=status,
    )


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _too_much(wait: int) -> TooMuch:
    """The error for a rate limit, and when to try again, in seconds; 0 if the server did not say."""
    told = "more arrives at the server than it takes; nothing of this was stored"
    if not wait:
        return TooMuch(told, "wait some minutes, then try again")
    if wait < MINUTE:
        return TooMuch(told, "try again in {seconds} s", wait, seconds=wait)
    return TooMuch(told, "try again in {minutes} min", wait, minutes=-(-wait // MINUTE))


def _isolated(proxy: str) -> str:
    """The proxy with random credentials for this run, by which Tor isolates its connections from all others."""
    parts = _split(proxy)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"socks5h://{secrets.token_hex(8)}:{secrets.token_hex(8)}@{host}:{parts.port}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed only now
    except ValueError as exc:
        raise ReporterError("an address is no address", "check --server and --proxy") from exc
    return parts
