"""The course's own Jupyter: its folders below `.course`, and the address of the JupyterLab that runs."""

import json
import socket
from pathlib import Path
from urllib.parse import quote

from course.ground import language, optionfile, place

# As JupyterLab names the languages of its menus; the package of each is in pyproject.toml.
LOCALES = {"en": "default", "zh": "zh_CN"}
LETTERS = place.ROOT / "demos/instruments/chinese/letters.ttf"
LOOK = place.ROOT / "course/notebooks/look"
STYLES = ("letters.css", "chinese.css", "jupyterlab.css")
KNOCK = 1.0  # seconds for a server on this machine to take a connection


def folder(name: str) -> Path:
    """Return one of Jupyter's folders: `config`, `data`, `runtime` or `ipython`."""
    return place.state() / "jupyter" / name


def speak() -> None:
    """Let JupyterLab's own menus speak the chosen language, unless the reader has chosen one of no edition there."""
    file = folder("config") / "lab" / "user-settings" / "@jupyterlab" / "translation-extension"
    file /= "plugin.jupyterlab-settings"
    wanted = LOCALES[language.chosen()]
    settings = place.record(file)
    now = settings.get("locale", "default")
    if now != wanted and now in LOCALES.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        optionfile.write_private(file, json.dumps({**settings, "locale": wanted}))


def dress() -> None:
    """Let JupyterLab show Chinese letters where the machine has none; it serves the folder of `LETTERS` under `static`."""
    file = folder("config") / "custom" / "custom.css"
    file.parent.mkdir(parents=True, exist_ok=True)
    style = "".join((LOOK / name).read_text("utf-8") for name in STYLES)
    optionfile.write_private(file, style.replace(LETTERS.name, f"../static/{LETTERS.name}"))


def address_of(server: str, file: Path, token: str) -> str:
    """Return where a browser opens a file of `lessons/`.

    Args:
        server: such as `http://127.0.0.1:8888`.
        file: below `lessons/`.
        token: what the server asks for.
    """
    path = quote(file.relative_to(place.lessons()).as_posix())
    return f"{server}/lab/tree/{path}?token={token}"


def anchor(heading: str) -> str:
    """Return what leads to a heading at the end of a link in JupyterLab, by its own rule; "" for no heading."""
    return f"#{quote(heading.replace(' ', '-'))}" if heading else ""


def running(file: Path) -> str:
    """Return where the JupyterLab that runs here opens a file; "" if none runs, or none shows that file."""
    if not file.is_relative_to(place.lessons()):
        return ""
    found = [*folder("runtime").glob("jpserver-*.json")]
    for record in sorted(found, key=_when, reverse=True):
        try:
            said = json.loads(record.read_text("utf-8"))
            port, token = int(said["port"]), str(said["token"])
            # What was ended hard leaves its record behind.
            socket.create_connection(("127.0.0.1", port), KNOCK).close()
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return address_of(f"http://127.0.0.1:{port}", file, token)
    return ""


def _when(record: Path) -> float:
    try:
        return record.stat().st_mtime
    except OSError:  # gone meanwhile
        return 0.0
