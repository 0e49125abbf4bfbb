"""What pip is configured to do is read as pip itself reads it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from course.ground import pip_settings

FILES = {
    "home/.pip/pip.conf": "[global]\ntimeout = 11\nretries = 1\n",
    "home/.config/pip/pip.conf": "[global]\ntimeout = 12\n[install]\nindex_url = user\n",
    "system/pip/pip.conf": "[global]\ntimeout = 13\nproxy = system\nfind-links = one two\n",
    "more/pip/pip.conf": "[global]\nproxy = more\ncert = more.pem\n[list]\nformat = json\n",
    "own.conf": "[global]\nTrusted_Host = own\ntimeout = 14\n[download]\ncert = own.pem\n",
    "broken.conf": "timeout = 15, and no section\n",
}
SHELLS = {
    "files": {},
    "a file of its own": {
        "PIP_CONFIG_FILE": "{}/own.conf",
        "PIP_RETRIES": "3",
        "PIP_CERT": "shell",
    },
    "no files": {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "shell"},
    "a file that is not there": {"PIP_CONFIG_FILE": "{}/none.conf"},
}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_same_as_pip_config_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folders = f"{tmp_path}/system{os.pathsep}{tmp_path}/more"
    for name, value in {
        "HOME": f"{tmp_path}/home",
        "XDG_CONFIG_HOME": f"{tmp_path}/home/.config",
        "XDG_CONFIG_DIRS": folders,
        **SHELLS[shell],
    }.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "debug"], capture_output=True, text=True, check=True
    ).stdout
    assert pip_settings.read(Path(sys.prefix)) == effective(said)


def effective(said: str) -> dict[str, str]:
    """Put together what `pip config debug` says of each file, in the order in which pip's commands do."""
    found: dict[str, list[tuple[str, str]]] = {"env_var": []}
    for line in said.splitlines():
        if line[0] != " ":
            kind = line.rstrip(":")
        elif kind == "env_var":
            name, _, value = line.strip().partition("=")
            found[kind].append((f":env:.{name.removeprefix('PIP_')}", ast.literal_eval(value)))
        elif line.startswith("    "):
            found.setdefault(kind, []).append(tuple(line.strip().split(": ", 1)))
    merged: dict[str, str] = {}
    for section in (*pip_settings.SECTIONS, ":env:"):
        for kind in ("global", "user", "site", "env", "env_var"):
            for key, value in found.get(kind, []):
                its, _, name = key.rpartition(".")
                if its == section and name != "CONFIG_FILE":
                    merged[name.replace("_", "-").lower()] = value
    assert merged, "pip reads something"
    return merged
