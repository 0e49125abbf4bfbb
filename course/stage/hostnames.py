"""Under which names the stage is asked for, on this machine and behind somebody else's proxy.

COURSE_PROXY says how such a proxy shows a port: `https://$CODESPACE_NAME-{port}.app.github.dev`, or `*` for any name,
where no browser reaches a port but through that proxy. The demos read it as well.
"""

import os
from urllib.parse import urlsplit

ANY = "*"


def outside(port: int) -> str:
    """Return the address at which the proxy shows a port, ANY if that is not known, or "" without a proxy."""
    setting = os.environ.get("COURSE_PROXY", "")
    return os.path.expandvars(setting).replace("{port}", str(port)).rstrip("/")


def is_known(host: str, port: int) -> bool:
    """Say whether the proxy may pass on this `Host`."""
    address = outside(port)
    return address == ANY or (bool(address) and _bare(host) == urlsplit(address).netloc.lower())


def is_ours(origin: str, host: str, forwarded: str, port: int) -> bool:
    """Say whether a page of this `Origin` is the stage's own, by `Host` and `X-Forwarded-Host`."""
    if origin == f"http://{host}":
        return True
    address = outside(port)
    if not address:
        return False
    names = {_bare(host), _bare(forwarded)}
    return origin.lower() == address.lower() or _bare(urlsplit(origin).netloc) in names - {""}


def client(port: int, page: str) -> str:
    """Return where the stage's page finds a page at a port, behind the proxy."""
    address = outside(port)
    # The proxy of a hub shows ports side by side: /user/ann/proxy/8700/ and /user/ann/proxy/40123/.
    return f"../{port}/{page}" if address == ANY else f"{address}/{page}"


def frames(port: int) -> str:
    """Return whose pages may be in the stage's frames, for its Content-Security-Policy."""
    address = outside(port)
    if address in ("", ANY):
        return "'self'" if address else ""
    parts = urlsplit(address)
    return f"{parts.scheme}://*.{parts.netloc.partition('.')[2]}"


def _bare(host: str) -> str:
    """Return a name in lower case, without a port that need not be said."""
    return host.lower().removesuffix(":443").removesuffix(":80")
