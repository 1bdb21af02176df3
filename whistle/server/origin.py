"""Whether a request comes from one of our own pages, or from a page of somebody else's.

Another site can send a form here from a reporter's browser, with a text and an attempt of its own; whoever sent that on
would get words that the other site can compute.  A browser says where a request comes from, and no page can change it.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

OURS = ("same-origin", "none")  # of Sec-Fetch-Site; none: typed, or from a bookmark
USUAL = (":80", ":443")  # ports, which browsers leave out
HOSTS = ("HTTP_HOST", "HTTP_X_FORWARDED_HOST")  # no page of another site can set either


def is_ours(environ: dict[str, Any], hosts: Sequence[str] = ()) -> bool:
    """Whether it is from a page of ours, whose address is that of the request or one of `hosts`.

    A browser that says neither where from, nor of which origin, is taken at its word: text browsers say nothing.
    """
    if is_told(environ):
        return environ["HTTP_SEC_FETCH_SITE"] in OURS
    return "HTTP_ORIGIN" not in environ or is_known(environ, hosts)


def is_told(environ: dict[str, Any]) -> bool:
    """Whether the browser itself says from where, which needs no comparison of addresses."""
    return "HTTP_SEC_FETCH_SITE" in environ


def is_known(environ: dict[str, Any], hosts: Sequence[str] = ()) -> bool:
    """Whether the origin that the browser names is at an address of ours; never for `null`."""
    ours = {_plain(host) for host in (*hosts, *(environ.get(name, "") for name in HOSTS))}
    return _plain(_host(environ.get("HTTP_ORIGIN", ""))) in ours - {""}


def is_hidden(environ: dict[str, Any], hosts: Sequence[str] = ()) -> bool:
    """Whether a page of ours names an origin that is none of ours: something in front of us changes the address."""
    told = environ.get("HTTP_SEC_FETCH_SITE") == OURS[0] and "HTTP_ORIGIN" in environ
    return told and not is_known(environ, hosts)


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _plain(host: str) -> str:
    found = host.strip().lower()
    return next((found.removesuffix(port) for port in USUAL if found.endswith(port)), found)
