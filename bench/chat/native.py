"""What the chat benchmark needs of C: two sources, compiled when needed.

Only the benchmark's two ends are in C: the load client, so that it is not what is measured, and the
floor. Nothing that takes part depends on a compiler.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from demos.pool_demo.settings import ROOT


class NoCompilerError(Exception):
    """There is no C compiler here, or it cannot compile this. The message is one sentence."""


def state() -> Path:
    """Return the folder for what the benchmark builds: `bench` in the course's own folder."""
    return Path(os.environ.get("COURSE_STATE_DIR") or ROOT / ".course").absolute() / "bench"


def library(source: Path) -> ctypes.CDLL:
    """Compile a C file into a shared library, unless that was done before, and load it.

    Raises:
        NoCompilerError: there is no compiler, or COURSE_NO_CC is set.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or os.environ.get("COURSE_NO_CC"):
        raise NoCompilerError("there is no C compiler (on Debian and Ubuntu: apt-get install gcc)")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    target = state() / f"{source.stem}-{digest}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        # Under another name first: two runs may compile at the same time.
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            new = Path(folder) / target.name
            command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(new), str(source), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise NoCompilerError(f"{Path(compiler).name} cannot compile {source.name}")
            new.replace(target)
    return ctypes.CDLL(str(target))
