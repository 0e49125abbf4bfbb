"""`python3 -m course`: the database and JupyterLab on `lessons/`, until Ctrl-C."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from course import environment, exercises, keeper, place, say, target, tether
from course.errors import CourseError
from course.stopping import StopSignals

USUAL_PORT = 8888
START_LIMIT = 90.0  # seconds; a cold disk needs most of it
STOP_LIMIT = 10.0  # seconds


def run(port: int = 0) -> int:
    """Run the course until Ctrl-C, SIGTERM or SIGHUP; then stop everything it started, in order.

    Args:
        port: JupyterLab's port; 0 means 8888, or a free one if that is taken.

    Raises:
        CourseError: something cannot be had or started.
    """
    environment.ensure()
    _hand_out_exercises()
    port = _choose_port(port)
    token = secrets.token_urlsafe(16)
    log = place.state() / "lab.log"
    lab = _start(port, token, log)  # first, so that it and the database come up side by side
    try:
        with target.database() as database:
            # From here on a signal means: stop in order. Until here Ctrl-C interrupts whatever is going on.
            stop = StopSignals()
            try:
                _wait_ready(lab, port, token, log, stop)
                if not stop.asked():
                    say.line("The course is running.")
                    say.line(f"  Lessons    http://127.0.0.1:{port}/lab?token={token}")
                    say.line(
                        "  Exercises  in its folder mine; how far you are: python3 -m course exercises"
                    )
                    say.line("  Stage      python3 -m course stage   (shows every step live)")
                    say.line(f"  Database   {database.where}")
                    say.line("  SQL shell  python3 -m course db shell   (in another terminal)")
                    say.line("Ctrl-C stops everything.")
                while not stop.asked(0.5) and lab.poll() is None:
                    database.mend()
                if not stop.asked():
                    raise CourseError(
                        "JupyterLab ended by itself: the end of its log is below.", _tail(log)
                    )
            finally:
                say.note("")
                _stop(lab)
                say.note("JupyterLab is stopped.")
        say.note(database.farewell)
    finally:
        _stop(lab)
    return 0


def _hand_out_exercises() -> None:
    try:
        for sentence in exercises.hand_out():
            say.note(sentence)
        exercises.prepare_kernels(place.state() / "jupyter" / "ipython" / "profile_default")
    except (CourseError, OSError) as error:  # lessons can be read without them
        say.note(f"Exercises were not copied to lessons/mine/: {error}")


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


def _start(port: int, token: str, log: Path) -> subprocess.Popen[bytes]:
    mine = place.state() / "jupyter"
    environment = {
        **os.environ,
        # Nothing of the user's own Jupyter set-up leaks in, and nothing of ours leaks out.
        "JUPYTER_CONFIG_DIR": str(mine / "config"),
        "JUPYTER_DATA_DIR": str(mine / "data"),
        "JUPYTER_RUNTIME_DIR": str(mine / "runtime"),
        "IPYTHONDIR": str(mine / "ipython"),
        "JUPYTER_TOKEN": token,  # not on the command line, where other users could read it
        "PATH": os.pathsep.join([str(place.venv() / "bin"), os.environ.get("PATH", "")]),
        "VIRTUAL_ENV": str(place.venv()),
        "PYTHONUTF8": "1",
    }
    options = {
        "ip": "127.0.0.1",
        "port": port,
        "port_retries": 0,
        "root_dir": place.ROOT / "lessons",
        "open_browser": sys.stdout.isatty() and "CI" not in os.environ,
    }
    command = [
        str(place.venv_python()),
        "-m",
        "jupyterlab",
        *(f"--ServerApp.{name}={value}" for name, value in options.items()),
    ]
    if os.geteuid() == 0:
        command.append("--allow-root")
    with log.open("wb") as output:
        return tether.start(
            command,
            last_signal=signal.SIGTERM,  # it ends its kernels and terminals then
            cwd=place.ROOT / "lessons",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _wait_ready(
    lab: subprocess.Popen[bytes], port: int, token: str, log: Path, stop: StopSignals
) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"}
    )
    # A proxy in the environment is for the network, not for this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answers() -> bool:
        if lab.poll() is not None or stop.asked():
            return True
        try:
            with opener.open(request, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    with say.progress("Starting JupyterLab"):
        ready = keeper.wait_until(answers, START_LIMIT)
    if not ready or lab.poll() is not None:
        raise CourseError("JupyterLab did not start: the end of its log is below.", _tail(log))


def _stop(lab: subprocess.Popen[bytes]) -> None:
    if lab.poll() is not None:
        return
    lab.terminate()
    try:
        lab.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        lab.kill()
        lab.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-12:])
