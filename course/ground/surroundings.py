"""What a user's shell may hold that must not reach the programs that the course starts."""

import os

# They change what Python imports, runs or keeps. The packages are not compiled up front: a Python that
# may not keep what it has compiled would compile JupyterLab anew at each start.
PYTHON_NAMES = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONOPTIMIZE",
    "PYTHONINSPECT",
    "PYTHONSAFEPATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONEXECUTABLE",
    "__PYVENV_LAUNCHER__",
)
THIS_MACHINE = ("127.0.0.1", "localhost", ".localhost")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")


def tidy() -> None:
    """Change this process's environment, which those it starts inherit."""
    for name in PYTHON_NAMES:
        os.environ.pop(name, None)
    # A proxy is for the network; pages and sockets of this machine are not reached through it.
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES):
        for name in ("no_proxy", "NO_PROXY"):
            named = [host for host in os.environ.get(name, "").split(",") if host]
            os.environ[name] = ",".join([*named, *(h for h in THIS_MACHINE if h not in named)])
