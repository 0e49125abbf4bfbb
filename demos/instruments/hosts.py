"""Which page sends a request: the names of this machine, and the pages that are our own.

A browser sends the name in the address (`Host`) and the site of the page that sends the request
(`Origin`). Both must be ours. A foreign name can lead to 127.0.0.1 (DNS rebinding). Then `Host` and
`Origin` are equal, but foreign. So only the names of this machine are accepted.

If a proxy of another party shows our ports under another name, COURSE_PROXY gives that name:

    COURSE_PROXY='https://$CODESPACE_NAME-{port}.app.github.dev'   an address for each port
    COURSE_PROXY='*'    any name: for machines whose ports no browser reaches but through that proxy
"""

import os
import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

ANY = "*"
# A name or an address, with or without a port. Of anything else, programs make different names.
_NAME = re.compile(r"(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]*)?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_name(host: str) -> bool:
    """Say whether a `Host` is a name or an address, with or without a port, and nothing else."""
    return bool(_NAME.fullmatch(host))


def is_known(host: str, port: str | int, more: Collection[str] = ()) -> bool:
    """Say whether a name is one of ours, and not a foreign name that leads here.

    `localhost.`, with the dot that ends a whole name (RFC 3986, 3.2.2), is none: for browsers it is
    another site, with cookies of its own.

    Args:
        host: the request's `Host`, with or without a port.
        port: on which we serve.
        more: other allowed names; ANY allows all.
    """
    name = _name(host) if is_name(host) else ""
    if not name:
        return False
    if _is_address(name) or name == "localhost" or name.endswith(".localhost"):
        return True  # nobody can point these elsewhere
    return bool({ANY, name} & {*more, _name(_outside(port))})


def is_ours(origin: str, host: str, port: str | int, forwarded: str = "") -> bool:
    """Say whether a page of this origin is ours.

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
    """Return a site without its port if that is the default port."""
    return next((site.removesuffix(end) for end in ports if end and site.endswith(end)), site)
