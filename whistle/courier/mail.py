"""Notices by mail: through a relay that the courier's operator names, over TLS with a certificate that holds.

The subject and the length are always the same. The relay learns who gets a mail and when, and can read the sentence.
"""

import datetime
import email.utils
import re
import secrets
import smtplib
import ssl
import textwrap
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from whistle.courier.errors import CourierError

SUBJECT = "Whistle courier"
WIDTH, ROWS = 70, 6  # of every body, in characters and lines
TIMEOUT = 60  # seconds
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")
HOST = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]{0,252})(?::([0-9]{1,5}))?")
PORT, IMPLICIT = 587, 465  # unless another is named; the one on which TLS begins at once, while others have STARTTLS


@dataclass(frozen=True)
class Relay:
    """Where mail is handed in: TLS begins at once if `implicit`, else by STARTTLS. Without a user nobody logs in.

    `ca` vouches for the relay in place of the system's authorities.
    """

    host: str
    port: int
    implicit: bool = False
    user: str | None = None
    password: str = ""
    ca: Path | None = None


class Mail:
    """Gives notices as mail from one address to another."""

    def __init__(self, relay: Relay, sender: str, to: str) -> None:
        self._relay, self._sender, self._to = relay, sender, to

    def give(self, text: str) -> None:
        """Send one sentence. Raises CourierError, without any address in it."""
        try:
            with self._connected() as smtp:
                smtp.send_message(self._message(text), self._sender, [self._to])
        except ssl.SSLError as exc:
            raise CourierError("the mail relay's certificate is not good", "name it as its certificate does") from exc
        except smtplib.SMTPAuthenticationError as exc:
            raise CourierError("the mail relay refuses the user or password", "check both with its operator") from exc
        except smtplib.SMTPNotSupportedError as exc:
            raise CourierError("the mail relay has no TLS or no login there", "try its other port, 465 or 587") from exc
        except (smtplib.SMTPException, OSError, ValueError) as exc:  # ValueError: a host that no name can be
            raise CourierError("the mail relay cannot be reached, or refuses", "it is tried again by itself") from exc

    def _connected(self) -> smtplib.SMTP:
        relay, context = self._relay, ssl.create_default_context(cafile=self._relay.ca)
        name = "localhost"  # the default is this machine's own name
        if relay.implicit:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, name, timeout=TIMEOUT, context=context)
        else:
            smtp = smtplib.SMTP(relay.host, relay.port, name, timeout=TIMEOUT)
        try:
            if not relay.implicit:
                smtp.starttls(context=context)
            if relay.user is not None:
                smtp.login(relay.user, relay.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _message(self, text: str) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, self._to, SUBJECT
        message["Date"] = email.utils.format_datetime(datetime.datetime.now(datetime.UTC))
        message["Message-ID"] = f"<{secrets.token_hex(16)}@courier.invalid>"  # the default has this machine's name
        message.set_content(body(text), cte="7bit")
        return message


def body(text: str) -> str:
    """A sentence as a body that is as long as any other."""
    lines = textwrap.wrap(text, WIDTH)
    assert len(lines) <= ROWS and text.isascii()
    return "".join(line.ljust(WIDTH) + "\n" for line in [*lines, *[""] * (ROWS - len(lines))])
