"""Demos that start in a hundredth of a second: they are forked from a process that has imported the libraries.

To start Python and to import Flask, gevent and their like takes a second or two of CPU time, a notebook's kernel with
its plots four, and the suite starts some hundred of them. `install` makes `subprocess.Popen` look at each command. The first `python -m demos.<module>` of a run is
an ordinary start, so that a fault of starting shows. Where the same module starts again, a template forks: a process
that has imported the libraries, and nothing of ours. The module and all of `demos` are read anew. The same goes for
kernels, and for the demos that a kernel starts.

The child is a process like any other. It is a child of the process that called Popen (CLONE_PARENT), so `wait`, `poll`,
signals, exit codes and "die with your parent" are the kernel's own; it has the environment, the folder, the session and
the three files that were asked for. What it does not have is its own name: /proc/<pid>/cmdline and environ are the
template's. `COURSE_TRUE_START=1` in the environment of a test or of its process asks for an ordinary start. So does
everything that Popen can be asked for and a template cannot do.

There are three templates: one for kernels, and two for demos, because gevent patches the standard library before
anything else is imported, or not at all.
"""

import array
import ast
import contextlib
import ctypes
import gc
import importlib
import inspect
import io
import os
import pickle
import platform
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from course.ground import place, tether

# What demos import and is not ours; a library that is missing here is imported by the demo itself, as ever.
LIBRARIES = [
    "argparse",
    "asyncio",
    "concurrent.futures",
    "configparser",
    "http.client",
    "ssl",
    "statistics",
    "unicodedata",
    "uuid",
    "pymysql",
    "pymysql.cursors",
    "dbutils.pooled_db",
    "dbutils.persistent_db",
    "flask",
    "werkzeug.middleware.proxy_fix",
    "werkzeug.security",
    "gevent",
    "gevent.event",
    "gevent.pool",
    "gevent.pywsgi",
    "gevent.queue",
    "geventwebsocket.handler",
    "redis",
]
# Only demos that are patched ask for these.
LIBRARIES_OF_THE_PATCHED = [
    "flask_limiter",
    "flask_limiter.util",
    "flask_wtf",
    "flask_wtf.csrf",
    "limits.storage",
]
OTHERS = ["rich.console", "rich.live", "rich.table", "websockets.sync.client"]
# What a kernel imports before its first cell, and what takes longest in a lesson's first cells.
LIBRARIES_OF_A_KERNEL = [
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "IPython.core.interactiveshell",
    "IPython.core.completer",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "matplotlib.font_manager",
    "psutil",
    "pymysql",
    "pymysql.cursors",
    "dbutils.pooled_db",
    "dbutils.persistent_db",
    "flask",
]
KERNEL = "ipykernel_launcher"
# matplotlib reads its backend when it is imported; numpy's library would start threads, and a process with threads cannot
# fork.
ENVIRONMENT_OF_A_KERNEL = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OPENBLAS_NUM_THREADS": "1",
}

# An interpreter reads these at its start, and libraries when they are imported: where they differ, nothing is forked.
READ_EARLY = (
    "PYTHON",
    "LC_",
    "LANG",
    "LD_",
    "TZ",
    "GEVENT",
    "OPENSSL",
    "MALLOC",
    "COURSE_TRUE_START",
)

PATH = "PYTHONPATH"  # a child can have more of it, before what a template has

CLONE_PARENT = 0x00008000  # linux/sched.h
CLONE = {"x86_64": 56, "aarch64": 220}  # number of the system call
LENGTH = struct.Struct("!I")
PATIENCE = 120.0  # seconds for a template to be there


def install(folder: Path) -> None:
    """Let demos of this process be forked.

    Args:
        folder: where all workers of a run note which module has had its ordinary start.
    """
    if sys.platform == "linux" and platform.machine() in CLONE and sys.gettrace() is None:
        folder.mkdir(exist_ok=True)
        _Popen.folder = folder
        subprocess.Popen = _Popen
        if launcher := sys.modules.get("jupyter_client.launcher"):
            launcher.Popen = _Popen


def uninstall() -> None:
    """Start everything in the ordinary way again, and end the templates."""
    subprocess.Popen = _TRUE
    if launcher := sys.modules.get("jupyter_client.launcher"):
        launcher.Popen = _TRUE
    while _Popen.templates:
        _Popen.templates.popitem()[1].end()


_TRUE = subprocess.Popen
_GIVEN = inspect.signature(_TRUE._execute_child)


class _Popen(_TRUE):
    """Popen that asks a template for a child where it can."""

    folder: Path
    templates: dict = {}  # noqa: RUF012 - one for all
    lock = threading.Lock()

    def _execute_child(self, *positional, **named):
        given = _GIVEN.bind(self, *positional, **named).arguments
        module = _module(given)
        request = None
        if module and self._had_its_start(module):
            request = _request(given, self.folder)
        if request is None:
            return super()._execute_child(*positional, **named)
        template = self._template(module)
        if template is None:
            return super()._execute_child(*positional, **named)
        files = [
            given["p2cread"] if given["p2cread"] != -1 else 0,
            given["c2pwrite"] if given["c2pwrite"] != -1 else 1,
            given["errwrite"] if given["errwrite"] != -1 else 2,
        ]
        if any(os.isatty(file) for file in files):
            return super()._execute_child(*positional, **named)
        self.pid = template.fork(request, files)
        self._child_created = True
        self._close_pipe_fds(
            *(
                given[name]
                for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            )
        )
        return None

    def _had_its_start(self, module):
        if module.endswith(".py"):  # of all files, one has an ordinary start
            module = "a file"
        try:
            (self.folder / module).open("x").close()
        except FileExistsError:
            return True
        return False

    def _template(self, module):
        """Return the template for a module; None where it would have to start in a thread.

        A child "dies with its parent" when the thread ends that has started the template.
        """
        kind = _kind(module)
        with self.lock:
            template = self.templates.get(kind)
            if template is None and threading.current_thread() is threading.main_thread():
                template = self.templates[kind] = Template(kind)
            return template


def _module(given):
    """Return what a command runs, if it is a demo or a kernel, `python -m demos.<module> ...`, or a file, `python <file>.py ...`."""
    command = given["args"]
    if isinstance(command, list) and len(command) > 1 and str(command[0]) == sys.executable:
        file = Path(str(command[1]))
        if file.suffix == ".py" and file.is_absolute() and file.is_file():
            return str(file)
    if (
        not isinstance(command, list)
        or len(command) < 3
        or [str(word) for word in command[:2]] != [sys.executable, "-m"]
    ):
        return ""
    module = str(command[2])
    if module == KERNEL:
        return module
    return module if module.startswith("demos.") and _file(module).is_file() else ""


def _request(given, folder):
    """Return what a template has to know; None where it could not do what is asked for."""
    environment = os.environ if given["env"] is None else given["env"]
    environment = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
    # fmt: off
    ordinary = {"executable": None, "close_fds": True, "pass_fds": (), "shell": False, "restore_signals": True,
                "gid": None, "gids": None, "uid": None, "umask": -1, "process_group": -1}
    # fmt: on
    if any(given.get(name, usual) != usual for name, usual in ordinary.items()):
        return None
    cwd = os.path.abspath(given["cwd"] or os.getcwd())  # noqa: PTH100, PTH109 - it may be bytes
    if _early(environment) != _EARLY or not environment.get(PATH, "").endswith(_PATH):
        return None
    try:
        return pickle.dumps(
            (
                [str(word) for word in given["args"]],
                environment,
                os.fsdecode(cwd),
                folder,
                given["start_new_session"],
                given["preexec_fn"],
            )
        )
    except (
        pickle.PicklingError,
        AttributeError,
        TypeError,
    ):  # a function that only this process has
        return None


def _early(environment):
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_EARLY) and name != PATH
    }


_AT_FIRST = {**os.environ, "PYTHONUTF8": "1"}
_EARLY = _early(_AT_FIRST)
_PATH = _AT_FIRST.get(PATH, "")


def _file(module):
    if module.endswith(".py"):
        return Path(module)
    return place.ROOT / f"{module.replace('.', '/')}.py"


_known: dict = {}


def _is_patched(module):
    """Say whether a module calls `monkey.patch_all()`, or imports one of ours that does."""
    if module not in _known:
        _known[module] = False  # should it import itself
        try:
            tree = ast.parse(_file(module).read_text("utf-8")).body
        except (OSError, SyntaxError):  # a package, or a file that is no Python
            tree = []
        ours = [one.module for one in tree if isinstance(one, ast.ImportFrom) and one.module]
        _known[module] = any(ast.unparse(one) == "monkey.patch_all()" for one in tree) or any(
            _is_patched(name) for name in ours if name.startswith("demos.")
        )
    return _known[module]


def _kind(module):
    if module == KERNEL:
        return "kernel"
    return "patched" if _is_patched(module) else "plain"


class Template:
    """A process that has imported the libraries and forks."""

    def __init__(self, kind):
        self.lock = threading.Lock()
        self.line, other = socket.socketpair()
        with other:
            # As an ordinary start it has the session, the group, the signals and the limits of this process.
            start = f"import tests.support.fork_server as it; it.serve({other.fileno()}, {kind!r}); it.run()"
            self.process = tether.start(
                [sys.executable, "-c", start],
                cwd=place.ROOT,
                env={**_AT_FIRST, **(ENVIRONMENT_OF_A_KERNEL if kind == "kernel" else {})},
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self.line.settimeout(PATIENCE)
        assert self.line.recv(1) == b"+", "the template of the demos has not started"

    def fork(self, request, files):
        """Return the process id of a new child."""
        with self.lock:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
            self.line.sendmsg([LENGTH.pack(len(request))], rights)
            self.line.sendall(request)
            return LENGTH.unpack(_exactly(self.line, LENGTH.size))[0]

    def end(self):
        self.line.close()
        self.process.wait(20)


def _exactly(line, count):
    data = b""
    while len(data) < count:
        more = line.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


# What follows runs in the template.

_chosen: list = []


def serve(descriptor, kind):
    """Import the libraries; then fork whenever asked to. Returns in a child only; `run` goes on from there."""
    if kind == "patched":
        from gevent import monkey

        monkey.patch_all()
        # This line is the template's own, and waits in the ordinary way.
        plain = monkey.get_original("socket", "socket")
    else:
        plain = socket.socket
    libraries = {
        "kernel": LIBRARIES_OF_A_KERNEL,
        "patched": [*LIBRARIES, *LIBRARIES_OF_THE_PATCHED],
        "plain": LIBRARIES,
    }
    for name in [*libraries[kind], *OTHERS]:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    if sys.modules.pop("ipykernel.kernelapp", None):  # it reads the environment when it is imported
        del sys.modules["ipykernel"].kernelapp
    line = plain(fileno=descriptor)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads cannot fork"
    gc.collect()
    gc.freeze()  # what all children share is not written to
    line.sendall(b"+")
    while True:
        try:
            head, rights, *_ = line.recvmsg(LENGTH.size, socket.CMSG_SPACE(3 * 4))
            if not head:
                os._exit(0)
            files = array.array("i")
            for _, _, data in rights:
                files.frombytes(data)
            request = _exactly(
                line, LENGTH.unpack(head + _exactly(line, LENGTH.size - len(head)))[0]
            )
        except (EOFError, OSError, KeyboardInterrupt):  # whoever we serve has ended
            os._exit(0)
        there, ready = os.pipe()
        child = _fork()
        if child:
            os.close(ready)
            for file in files:
                os.close(file)
            os.read(there, 1)  # it has its session, its group and its files, or has ended
            os.close(there)
            line.sendall(LENGTH.pack(child))
            continue
        os.close(there)
        line.close()
        _become(files, *pickle.loads(request))
        os.close(ready)
        return


def _fork():
    """Fork a sibling: a child of the process that we are a child of. Returns its id, and 0 in itself."""
    api = ctypes.pythonapi
    api.PyOS_BeforeFork()
    child = ctypes.PyDLL(None).syscall(
        CLONE[platform.machine()], CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0
    )
    if child == 0:
        api.PyOS_AfterFork_Child()
    else:
        api.PyOS_AfterFork_Parent()
    assert child >= 0, "the template cannot fork"
    return child


def _become(files, command, environment, cwd, folder, new_session, in_child):
    """Be what a new process with this command would be."""
    for target, file in enumerate(files):
        os.dup2(file, target)
    for file in files:
        if file > 2:
            os.close(file)
    # Python looks at its three files when it makes these: whether one can be read backwards, for example.
    sys.stdin = sys.__stdin__ = _stream(0, "r", "surrogateescape")
    sys.stdout = sys.__stdout__ = _stream(1, "w", "surrogateescape")
    sys.stderr = sys.__stderr__ = _stream(2, "w", "backslashreplace", line_buffering=True)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    if new_session:
        os.setsid()
    if in_child:
        in_child()
    sys.orig_argv[:] = command
    is_file = command[1] != "-m"
    sys.argv[:] = command[1:] if is_file else ["-m", *command[3:]]
    os.chdir(cwd)
    sys.path[0] = os.path.dirname(command[1]) if is_file else os.getcwd()  # noqa: PTH109, PTH120
    if more := [
        one for one in environment.get(PATH, "").removesuffix(_PATH).split(os.pathsep) if one
    ]:
        sys.path[1:1] = more
        sys.modules.pop("sitecustomize", None)  # Python imports it at each start
        with contextlib.suppress(ImportError):
            importlib.import_module("sitecustomize")
    if "gevent" in sys.modules:
        sys.modules["gevent"].reinit()
    _chosen.append((command[1] if is_file else command[2], folder))


def _stream(file, mode, errors, **more):
    # What create_stdio in Python's pylifecycle.c does in UTF-8 mode, for a file that is no terminal.
    return io.TextIOWrapper(
        open(file, f"{mode}b", closefd=False),
        "utf-8",
        errors,
        newline="\n" if mode == "w" else None,
        **more,
    )


def run():
    """Run the module as `python -m` does."""
    main = sys.modules["__main__"].__dict__
    for name in [name for name in main if not name.startswith("__")]:
        del main[name]
    # All of ours is read anew, and nothing is left of the template.
    for name in [
        name for name in sys.modules if name.partition(".")[0] in ("course", "demos", "tests")
    ]:
        del sys.modules[name]
    ((module, folder),) = _chosen
    if module == KERNEL:  # it starts demos
        install(folder)
    if module.endswith(".py"):
        main["__file__"] = module
        try:
            code = compile(Path(module).read_bytes(), module, "exec")
        except SyntaxError as error:  # Python shows it without a traceback
            sys.excepthook(type(error), error.with_traceback(None), None)
            sys.exit(1)
        exec(code, main)
    else:
        runpy._run_module_as_main(module)
