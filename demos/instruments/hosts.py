"""Whose page asks: which names lead to this machine, and which pages are our own.

A browser tells the name in the address (`Host`) and the site of the page that asks (`Origin`). Both
have to be ours. A stranger's name can be made to lead to 127.0.0.1 (DNS rebinding), and then `Host`
and `Origin` are alike, but foreign. So on this machine only its own names are taken.

Where somebody else's proxy shows our ports under another name, COURSE_PROXY says which:

    COURSE_PROXY='https://$CODESPACE_NAME-{port}.app.github.dev'   an address for each port
    COURSE_PROXY='*'    any name: for machines whose ports no browser reaches but through that proxy
"""

import os
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

ANY = "*"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_known(host: str, port: str | int, more: Collection[str] = ()) -> bool:
    """Say whether a name leads to us by right, and not because a stranger has pointed it here.

    Args:
        host: the request's `Host`, with or without a port.
        port: on which we serve.
        more: names that have been allowed, ANY for all of them.
    """
    name = _name(host)
    if not name:
        return False
    if _is_address(name) or name == "localhost" or name.endswith(".localhost"):
        return True  # nobody can point these elsewhere
    return bool({ANY, name} & {*more, _name(_outside(port))})


def is_ours(origin: str, host: str, port: str | int, forwarded: str = "") -> bool:
    """Say whether a page of this origin came from us.

    Args:
        origin: the request's `Origin`, such as http://127.0.0.1:5000.
        host: its `Host`.
        port: on which we serve.
        forwarded: its `X-Forwarded-Host`; taken only if a proxy is expected.
    """
    scheme, _, site = origin.lower().partition("://")
    outside = _outside(port)
    if outside not in ("", ANY) and origin.lower() == outside.lower():
        return True
    # The scheme is not compared: behind a proxy that does TLS the page's is https, and ours http.
    names = [host, forwarded] if outside else [host]
    ports = [*_DEFAULT_PORTS.values()] if outside else [_DEFAULT_PORTS.get(scheme, "")]
    return any(name and _bare(site, ports) == _bare(name.lower(), ports) for name in names)


def _outside(port: str | int) -> str:
    """Return the address of a port of ours as the proxy shows it, ANY, or ""."""
    setting = os.environ.get("COURSE_PROXY", "")
    return os.path.expandvars(setting).replace("{port}", str(port)).rstrip("/")


def _name(host: str) -> str:
    """Return the name in `name:port`, or in an address, in lower case."""
    try:
        return urlsplit(host if "://" in host else f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _bare(site: str, ports: Collection[str]) -> str:
    """Return a site without a port that need not be said."""
    return next((site.removesuffix(end) for end in ports if end and site.endswith(end)), site)
