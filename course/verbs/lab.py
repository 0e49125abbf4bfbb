"""`python3 -m course`: the database and JupyterLab on `lessons/`, until Ctrl-C."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from course.database import keeper, target
from course.ground import jupyter, language, place, say, tether
from course.ground.errors import CourseError
from course.ground.stopping import StopSignals
from course.notebooks import exercises, start_page, trust

USUAL_PORT = 8888
START_LIMIT = 90.0  # seconds; a cold disk needs most of it
STOP_LIMIT = 10.0  # seconds
PORT_TRIES = 5
# In the lessons' folder, and nothing that a student opens: the authors' part has the solutions. The pictures there are shown
# all the same, as a listing is all that this changes. The last ones are Jupyter's own.
HIDDEN = ("authors", "LICENSE", "README.md", "__pycache__", "*.pyc", "*.pyo", ".DS_Store", "*~")
PORT_TAKEN = "is not available"  # JupyterLab's last words where somebody has its port


def run(port: int = 0) -> int:
    """Run the course until Ctrl-C, SIGTERM or SIGHUP; then stop everything it started, in order.

    Args:
        port: JupyterLab's port; 0 means 8888, or a free one if that is taken.

    Raises:
        CourseError: something cannot be had or started.
    """
    lab = Lab(port)
    try:
        # It and the database come up side by side.
        with target.database(with_packages=lab.start) as database:
            # From here on a signal means: stop in order. Until here Ctrl-C interrupts whatever is going on.
            stop = StopSignals()
            try:
                lab.wait_ready(stop)
                if not stop.asked():
                    say.line("The course is running.")
                    say.line(f"  Lessons    {lab.address}")
                    say.line(
                        "  Exercises  python3 -m course exercises next   (says what comes next)"
                    )
                    say.line("  Stage      python3 -m course stage   (shows every step live)")
                    say.line(f"  Database   {database.where}")
                    say.line("  SQL shell  python3 -m course db shell   (in another terminal)")
                    say.line("Ctrl-C stops everything.")
                while not stop.asked(0.5) and lab.runs():
                    database.mend()
                if not stop.asked():
                    raise CourseError(
                        "JupyterLab ended by itself: the end of its log is below.", lab.tail()
                    )
            finally:
                say.note("")
                lab.stop()
                say.note("JupyterLab is stopped.")
        say.note(database.farewell)
    finally:
        lab.stop()
    return 0


def _hand_out_exercises() -> None:
    try:
        for sentence in exercises.hand_out():
            say.note(sentence)
        exercises.prepare_kernels(jupyter.folder("ipython") / "profile_default")
    except (CourseError, OSError) as error:  # lessons can be read without them
        say.note(f"Exercises were not copied to lessons/mine/: {error}")
    if sentence := start_page.write():
        say.note(sentence)


def _choose_port(port: int) -> int:
    if port:
        if not _is_free(port):
            raise CourseError(f"port {port} is taken: name another one, or none for a free one.")
        return port
    if _is_free(USUAL_PORT):
        return USUAL_PORT
    port = keeper.free_port()
    say.note(f"Port {USUAL_PORT} is taken; JupyterLab uses {port}.")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Lab:
    """JupyterLab, as a process of its own."""

    def __init__(self, port: int) -> None:
        """Prepare to start it.

        Args:
            port: the port it has to have; 0 means 8888, or a free one if that is taken.

        Raises:
            CourseError: somebody has that port.
        """
        self.may_change = not port
        self.port = _choose_port(port)
        self.token = secrets.token_urlsafe(16)
        self.log = place.state() / "lab.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        server, page = f"http://127.0.0.1:{self.port}", place.lessons() / start_page.NAME
        return jupyter.address_of(server, page, self.token)

    def start(self) -> None:
        """Start it, once the packages are there; while it starts, get ready what it shows."""
        jupyter.speak()
        jupyter.dress()
        trust.make_key()  # else JupyterLab makes one of its own meanwhile
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": place.lessons(),
            "ServerApp.open_browser": sys.stdout.isatty() and "CI" not in os.environ,
            "LabApp.default_url": f"/lab/tree/{start_page.NAME}",
            # It looks for two dozen language servers at each start, and the course has none.
            "LanguageServerManager.autodetect": False,
            "ServerApp.jpserver_extensions": "notebook=False",  # the same notebooks in another dress
            "LabApp.extra_labextensions_path": start_page.extensions(),
            "LabApp.custom_css": True,
            "ServerApp.extra_static_paths": jupyter.LETTERS.parent,
            "LabApp.extension_manager": "readonly",  # the usual one asks the network, and imports much for that
        }
        command = [
            str(place.venv_python()),
            "-m",
            "jupyterlab",
            *(f"--{name}={value}" for name, value in options.items()),
            *(f"--ContentsManager.hide_globs={glob}" for glob in HIDDEN),
        ]
        if os.geteuid() == 0:
            command.append("--allow-root")
        with self.log.open("wb") as output:
            self.process = tether.start(
                command,
                last_signal=signal.SIGTERM,  # it ends its kernels and terminals then
                cwd=place.lessons(),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _hand_out_exercises()
        trust.start()

    def _environment(self) -> dict[str, str]:
        # Nothing of the user's own Jupyter set-up leaks in, and nothing of ours leaks out.
        others = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
        return {
            **others,
            "JUPYTER_CONFIG_DIR": str(jupyter.folder("config")),
            "JUPYTER_DATA_DIR": str(jupyter.folder("data")),
            "JUPYTER_RUNTIME_DIR": str(jupyter.folder("runtime")),
            "IPYTHONDIR": str(jupyter.folder("ipython")),
            "JUPYTER_TOKEN": self.token,  # not on the command line, where other users could read it
            "PATH": os.pathsep.join([str(place.venv() / "bin"), os.environ.get("PATH", "")]),
            "VIRTUAL_ENV": str(place.venv()),
            language.VARIABLE: language.chosen(),  # for the kernels and terminals
            "PYTHONUTF8": "1",
        }

    def runs(self) -> bool:
        """Say whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, stop: StopSignals) -> None:
        """Wait until it answers, or a signal has come.

        Raises:
            CourseError: it does not start.
        """
        deadline = time.monotonic() + START_LIMIT
        with say.progress("Starting JupyterLab"):
            for _ in range(PORT_TRIES):
                ready = keeper.wait_until(
                    lambda: not self.runs() or stop.asked() or self._answers(),
                    deadline - time.monotonic(),
                )
                if stop.asked() or (ready and self.runs()):
                    return
                # Between the question whether a port is free and JupyterLab's start lie seconds.
                if not ready or not self.may_change or PORT_TAKEN not in self.tail():
                    break
                self.port = keeper.free_port()
                self.start()
        raise CourseError("JupyterLab did not start: the end of its log is below.", self.tail())

    def _answers(self) -> bool:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/status",
            headers={"Authorization": f"token {self.token}"},
        )
        # A proxy in the environment is for the network, not for this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Stop it in order; end it if that takes too long."""
        if self.process is None or self.process.poll() is not None:
            return
        tether.end(self.process, STOP_LIMIT)

    def tail(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-12:])
