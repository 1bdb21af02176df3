"""Contacts as links: the operator's text is shown as it is, and becomes a link only if that is safe.
Anything that is not a telephone number, an e-mail address or a web address stays text.
"""

import re
import unicodedata
from urllib.parse import urlsplit

from markupsafe import Markup, escape

NUMBER = re.compile(r"\+?[\d(][\d .()\-]*")
AT_HOME = "(0)"  # only dialled domestically: +44 (0)20 is +4420 from abroad
DIGITS = range(2, 16)  # length of a telephone number; E.164 allows 15
MAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
HOST = re.compile(r"[\w-]+(\.[\w-]+)+")
ONION = re.compile(r"([a-z0-9-]+\.)*[a-z2-7]{56}\.onion")
HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")


def contact(text: str, shown: str | Markup = "") -> Markup:
    """A contact as HTML, with the text ``shown`` if given; a link if it can be one.

    Pages open in a new tab, so that what was typed here is not lost.
    """
    plain = text.strip()
    if href := _telephone(plain) or _mail(plain):
        return Markup('<a href="{}">{}</a>').format(href, shown or plain)
    if href := web_address(plain):
        return Markup('<a href="{}" target="_blank" rel="noreferrer">{}</a>').format(href, shown or plain)
    return escape(shown or text)


def _telephone(text: str) -> str:
    """The `tel:` URL (RFC 3966) of a number in any spacing and digits; "" for anything else."""
    number = unicodedata.normalize("NFKC", text).translate(HYPHENS)
    if not NUMBER.fullmatch(number):
        return ""
    plus = "+" * number.startswith("+")
    digits = [str(int(each)) for each in number.replace(AT_HOME, "" if plus else "0") if each.isdecimal()]
    return f"tel:{plus}{''.join(digits)}" if len(digits) in DIGITS else ""


def _mail(text: str) -> str:
    return f"mailto:{text}" if MAIL.fullmatch(text) else ""


def web_address(text: str) -> str:
    """An https URL, or an onion address with or without a scheme: both are encrypted; "" for anything else."""
    address = f"http://{text}" if ONION.fullmatch(text.partition("/")[0]) else text
    if not address.isprintable() or " " in address:
        return ""
    try:
        parts = urlsplit(address)
        _ = parts.port  # ValueError if invalid
    except ValueError:
        return ""
    host = parts.hostname or ""
    if not HOST.fullmatch(host) or "@" in parts.netloc:
        return ""
    return address if parts.scheme == "https" or (parts.scheme == "http" and ONION.fullmatch(host)) else ""
