"""What pip is configured to do on this machine, and the same said to uv.

Whoever can install with pip here, through a mirror, a proxy or an authority of their own, can install with uv then.
pip's files and their order: "Configuration" in pip's documentation. A test compares them with `pip config debug`.
"""

import configparser
import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

# What of the user's own uv settings is about the network and the disk, and not about what is installed where.
UV_NAMES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_HTTP_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS",
    "UV_CACHE_DIR",
    "UV_NO_CACHE",
    "UV_LINK_MODE",
    "UV_OFFLINE",
)
SECTIONS = ("global", "download", "install")  # a command's own section goes before the general one
TRUE = ("y", "yes", "t", "true", "on", "1")


def read(*prefixes: Path) -> dict[str, str]:
    """Return pip's settings by their long names, such as `index-url`, for Pythons installed below these folders.

    Of `[global]` and the commands' own sections the latter count. A file that cannot be read counts as none,
    as for pip's own commands.
    """
    found: dict[str, str] = {}
    files = [*_files(prefixes)]
    for section in SECTIONS:
        for file in files:
            parser = configparser.RawConfigParser()
            try:
                parser.read_string(file.read_text("utf-8"))
            except (OSError, UnicodeDecodeError, configparser.Error):
                continue
            if parser.has_section(section):
                found |= {_long(name): value for name, value in parser.items(section)}
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            found[_long(name.removeprefix("PIP_"))] = value
    return found


def _long(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _files(prefixes: tuple[Path, ...]) -> Iterator[Path]:
    """Yield pip's files, those that count more later."""
    own = os.environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return
    home = Path(os.environ.get("HOME") or "/")
    xdg = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    if sys.platform == "darwin":
        support = home / "Library/Application Support/pip"
        yield Path("/Library/Application Support/pip/pip.conf")
        user = support / "pip.conf" if support.is_dir() else home / ".config/pip/pip.conf"
    else:
        folders = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        yield from (Path(folder) / "pip/pip.conf" for folder in folders.split(os.pathsep))
        yield Path("/etc/pip.conf")
        user = xdg
    if not (own and Path(own).exists()):
        yield home / ".pip/pip.conf"
        yield user
    yield from (prefix / "pip.conf" for prefix in prefixes)
    if own:
        yield Path(own)


def for_uv(pip: dict[str, str]) -> dict[str, str]:
    """Return the environment for uv: this process's, with what pip's settings say in uv's words."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in UV_NAMES or not name.startswith("UV_")
    }
    said: dict[str, str] = {}

    def tell(setting: str, *names: str) -> None:
        if words := pip.get(setting, "").split():
            said.update({name: " ".join(words) for name in names})

    tell("index-url", "UV_DEFAULT_INDEX")
    tell("extra-index-url", "UV_EXTRA_INDEX_URL")
    # pip passes over a folder that is not there, uv does not.
    links = [one for one in pip.get("find-links", "").split() if ":/" in one or Path(one).exists()]
    if links:
        said["UV_FIND_LINKS"] = ",".join(links)
    tell("trusted-host", "UV_INSECURE_HOST")
    tell("proxy", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    tell("default-timeout", "UV_HTTP_TIMEOUT")
    tell("timeout", "UV_HTTP_TIMEOUT")
    tell("retries", "UV_HTTP_RETRIES")
    tell("client-cert", "SSL_CLIENT_CERT")
    authorities = (
        pip.get("cert")
        or os.environ.get("REQUESTS_CA_BUNDLE")
        or os.environ.get("CURL_CA_BUNDLE")
        or ""
    )
    if authorities:
        said["SSL_CERT_DIR" if Path(authorities).is_dir() else "SSL_CERT_FILE"] = authorities
    if pip.get("keyring-provider") == "subprocess":
        said["UV_KEYRING_PROVIDER"] = "subprocess"
    if pip.get("no-cache-dir", "").lower() in TRUE:
        said["UV_NO_CACHE"] = "1"
    # uv brings the authorities of Mozilla; those that this system trusts may be others.
    trusted = ssl.get_default_verify_paths()
    if sys.platform == "darwin" or trusted.cafile:
        said["UV_SYSTEM_CERTS"] = "1"
    return {**kept, **said}


def wants_no_index(pip: dict[str, str]) -> bool:
    """Say whether only `find-links` are to be asked."""
    return pip.get("no-index", "").lower() in TRUE
