"""Numbers to call and places to turn to, as links: what an operator wrote is shown as it is, and leads only where a
browser may safely go.  What is neither a telephone number, an e-mail address nor an address of a page stays text.
"""

import re
import unicodedata
from urllib.parse import urlsplit

from markupsafe import Markup, escape

NUMBER = re.compile(r"\+?[\d(][\d .()\-]*")
AT_HOME = "(0)"  # dialled only at home: +44 (0)20 is +4420 from everywhere
DIGITS = range(2, 16)  # of a number that can be dialled; E.164 has 15 at most
MAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
HOST = re.compile(r"[\w-]+(\.[\w-]+)+")
ONION = re.compile(r"([a-z0-9-]+\.)*[a-z2-7]{56}\.onion")
HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")


def contact(text: str, shown: str | Markup = "") -> Markup:
    """A contact as HTML, shown as ``shown`` or as it is; a link where it can be one.

    A page opens in a tab of its own, so that what was typed here stays.
    """
    plain = text.strip()
    if href := _telephone(plain) or _mail(plain):
        return Markup('<a href="{}">{}</a>').format(href, shown or plain)
    if href := _page(plain):
        return Markup('<a href="{}" target="_blank" rel="noreferrer">{}</a>').format(href, shown or plain)
    return escape(shown or text)


def _telephone(text: str) -> str:
    """The `tel:` address (RFC 3966) of a number, however it is spaced and in whatever digits; "" of anything else."""
    number = unicodedata.normalize("NFKC", text).translate(HYPHENS)
    if not NUMBER.fullmatch(number):
        return ""
    plus = "+" * number.startswith("+")
    digits = [str(int(each)) for each in number.replace(AT_HOME, "" if plus else "0") if each.isdecimal()]
    return f"tel:{plus}{''.join(digits)}" if len(digits) in DIGITS else ""


def _mail(text: str) -> str:
    return f"mailto:{text}" if MAIL.fullmatch(text) else ""


def _page(text: str) -> str:
    """An https address, or an onion's with or without a scheme: nobody on the way reads what goes there."""
    address = f"http://{text}" if ONION.fullmatch(text.partition("/")[0]) else text
    if not address.isprintable() or " " in address:
        return ""
    try:
        parts = urlsplit(address)
        _ = parts.port  # ValueError where it is none
    except ValueError:
        return ""
    host = parts.hostname or ""
    if not HOST.fullmatch(host) or "@" in parts.netloc:
        return ""
    return address if parts.scheme == "https" or (parts.scheme == "http" and ONION.fullmatch(host)) else ""
