"""Checks whether a request comes from one of our own pages or from another site.

Another site could send a form here from a reporter's browser, with a text and an attempt of its choice; the reporter
would get words that the other site can compute.  Browsers say where a request comes from, and no page can change that.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

OURS = ("same-origin", "none")  # values of Sec-Fetch-Site; none: typed, or from a bookmark
DEFAULT_PORTS = (":80", ":443")  # default ports, which browsers omit
HOSTS = ("HTTP_HOST", "HTTP_X_FORWARDED_HOST")  # a page of another site can set neither


def is_ours(environ: dict[str, Any], hosts: Sequence[str] = ()) -> bool:
    """Whether the request is from a page of ours, at the request's host or one of `hosts`.

    Requests with neither Sec-Fetch-Site nor Origin are accepted: text browsers send none.
    """
    if has_fetch_site(environ):
        return environ["HTTP_SEC_FETCH_SITE"] in OURS
    return "HTTP_ORIGIN" not in environ or is_own_origin(environ, hosts)


def has_fetch_site(environ: dict[str, Any]) -> bool:
    """Whether the browser itself compared the origins."""
    return "HTTP_SEC_FETCH_SITE" in environ


def is_own_origin(environ: dict[str, Any], hosts: Sequence[str] = ()) -> bool:
    """Whether the Origin header is one of our hosts; False for `null`."""
    ours = {_plain(host) for host in (*hosts, *(environ.get(name, "") for name in HOSTS))}
    return _plain(_host(environ.get("HTTP_ORIGIN", ""))) in ours - {""}


def is_host_rewritten(environ: dict[str, Any], hosts: Sequence[str] = ()) -> bool:
    """Whether one of our pages sends an unknown origin: a proxy in front of us changes the host."""
    same_origin = environ.get("HTTP_SEC_FETCH_SITE") == OURS[0] and "HTTP_ORIGIN" in environ
    return same_origin and not is_own_origin(environ, hosts)


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _plain(host: str) -> str:
    host = host.strip().lower()
    return next((host.removesuffix(port) for port in DEFAULT_PORTS if host.endswith(port)), host)
