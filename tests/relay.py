"""A mail relay on this machine that takes whatever comes, over TLS only."""

import base64
import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.stock.programs import need

PATIENCE = 60  # seconds for a line


@dataclass
class MailRelay:
    """Where it listens, the certificate that vouches for it, and what came: bytes of mails, and what each line said."""

    port: int
    certificate: Path
    mails: list[bytes] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    refuses: bool = False


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A server's side with a certificate of its own, `cert.pem` in the folder."""
    openssl = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    named = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*openssl, *files, *named], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@contextlib.contextmanager
def relay(folder: Path, name: str = "localhost", implicit: bool = False) -> Iterator[MailRelay]:
    """A relay that runs inside."""
    context = certificate(folder, name)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = MailRelay(listener.getsockname()[1], folder / "cert.pem")
        thread = threading.Thread(target=_serve, args=(listener, context, found, implicit), daemon=True)
        thread.start()
        yield found


def _serve(listener: socket.socket, context: ssl.SSLContext, found: MailRelay, implicit: bool) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.settimeout(PATIENCE)
        with contextlib.suppress(OSError, ssl.SSLError), contextlib.closing(connection):
            if implicit:
                connection = context.wrap_socket(connection, server_side=True)
            _talk(connection, context, found, implicit)


def _talk(connection: socket.socket, context: ssl.SSLContext, found: MailRelay, secure: bool) -> None:
    connection.sendall(b"220 relay\r\n")
    file = connection.makefile("rb")
    while line := file.readline().decode().rstrip():
        found.lines.append(line)
        verb = line.split()[0].upper()
        if verb == "EHLO":
            connection.sendall(b"250-relay\r\n250 AUTH PLAIN\r\n" if secure else b"250-relay\r\n250 STARTTLS\r\n")
        elif verb == "STARTTLS":
            connection.sendall(b"220 go\r\n")
            connection, secure = context.wrap_socket(connection, server_side=True), True
            file = connection.makefile("rb")
        elif verb == "AUTH":
            found.logins.append(base64.b64decode(line.split()[2]))
            connection.sendall(b"535 no\r\n" if found.refuses else b"235 welcome\r\n")
        elif verb == "DATA":
            connection.sendall(b"354 go\r\n")
            mail = b""
            while (more := file.readline()) != b".\r\n":
                mail += more
            found.mails.append(mail)
            connection.sendall(b"250 taken\r\n")
        else:
            connection.sendall(b"221 bye\r\n" if verb == "QUIT" else b"250 yes\r\n")
