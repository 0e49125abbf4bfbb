"""What the lessons use: is the course ready, restore a table, show, claim, run a step, check the set-up.

Python versions that are too old for the course can import it too, so that `check_python` can say so.
"""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from course.ground import kernel, language, place
from course.ground.errors import LessonError as LessonError

SET_UP = "end JupyterLab, and start it in a terminal with: python3 -m course"
RUN_LIMIT = 300.0  # seconds for a step that a cell runs
NOT_THIS_TIME = "Not this time: "  # before a claim that the figures do not bear out


def ready() -> None:
    """Print that the database answers; if it is gone later, a cell says so in a sentence.

    Raises:
        LessonError: none does, or it refuses us; with cause and cure.
    """
    done = _run("demos.pool_demo.where")
    if done.returncode != 0:
        raise _failure("The database cannot be used", done.stderr)
    import pymysql

    kernel.watch(pymysql.MySQLError, OSError)
    _say("Ready: the database answers.")


def restore(*tables: str) -> None:
    """Put tables back to their starting state.

    Raises:
        LessonError: the server did not let us; with cause and cure.
    """
    done = _run("demos.pool_demo.seed", *tables)
    if done.returncode != 0:
        raise _failure("The tables cannot be restored", done.stderr)
    _say(f"restored: {', '.join(tables)}")


def show(path: str, name: str | None = None) -> None:
    """Display a file of the course, or one function, class or variable of it.

    Args:
        path: from the course's folder, such as `demos/pool_demo/pool.py`.
        name: such as `main` or `MysqlHelp.update`; of a script (.js) what stands at its left edge; default: the whole file.

    Raises:
        LessonError: there is no such file or no such name in it.
    """
    text = source(path, name)
    ending = path.rpartition(".")[2]
    language = {"py": "python", "js": "javascript"}.get(ending, ending)
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    title = f"`{path}`" + (f", `{name}`" if name else "")
    _display(text, f"{title}\n\n{fence}{language}\n{text}\n{fence}")


def show_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """Display rows as a table; the keys of the first row are the columns."""
    columns = list(rows[0]) if rows else ["(no rows)"]
    cells = [columns, ["---"] * len(columns), *([str(row[key]) for key in columns] for row in rows)]
    lines = [f"| {' | '.join(line)} |" for line in cells]
    # In Markdown a backslash keeps a character of the data from being a sign.
    marked = [[re.sub(r"([\\`*_<>|\[\]])", r"\\\1", cell) for cell in line] for line in cells]
    _display("\n".join(lines), "\n".join(f"| {' | '.join(line)} |" for line in marked))


def source(path: str, name: str | None = None) -> str:
    """Return the text that `show` displays: without comments that only tools read.

    Raises:
        LessonError: there is no such file or no such name in it.
    """
    file = place.ROOT / path
    if not file.is_file():
        raise LessonError(f"The course has no file {path}; paths begin at its folder.")
    text = re.sub(r"  # (noqa|type: ignore)\b.*", "", file.read_text("utf-8")).rstrip()
    if name is None:
        return text
    if path.endswith(".js"):
        return _of_script(path, text, name)
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise LessonError(f"{path} is no Python now: {error.msg}, line {error.lineno}.") from None
    first = last = 0
    for part in name.split("."):
        found = next((node for node in body if part in _names(node)), None)
        if found is None:
            raise LessonError(f"{path} has no {name}; open the file to see what it has.")
        decorators = getattr(found, "decorator_list", [])
        first = min([found.lineno, *(one.lineno for one in decorators)])
        last = found.end_lineno or found.lineno
        body = getattr(found, "body", [])
    lines = text.splitlines()[first - 1 : last]
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines)


def _of_script(path: str, text: str, name: str) -> str:
    """Return a function, class or variable at the left edge of a JavaScript file, without what is said above it."""
    found = re.search(
        rf"^(?:async )?(?:function|class|const|let) {re.escape(name)}\b.*", text, re.MULTILINE
    )
    if not found:
        raise LessonError(f"{path} has no {name}; open the file to see what it has.")
    if found[0].endswith(";"):
        return found[0]
    end = re.compile(r"^[)}\]].*", re.MULTILINE).search(text, found.end())
    return text[found.start() : end.end() if end else len(text)]


def run_step(step: str, *arguments: str) -> None:
    """Run a step as a process of its own, as a terminal does, and print what it prints.

    Args:
        step: such as `pool_demo/step2_borrow_and_return`.
        arguments: passed on to the step.

    Raises:
        LessonError: there is no such step, or it failed.
    """
    if not (place.ROOT / "demos" / f"{step}.py").is_file():
        raise LessonError(f"There is no step {step}; this lists them: python3 -m course step")
    done = _run(f"demos.{step.replace('/', '.')}", *arguments)
    print(done.stdout, end="")
    if done.returncode != 0:
        raise _failure(f"The step {step} failed", done.stderr)


def claim(holds: bool, words: str) -> None:
    """Print what a measurement shows, or that it does not show it this time.

    Args:
        holds: whether the figures bear the words out.
        words: a sentence without digits: a test compares it with the one that the notebook keeps.
    """
    _say(words if holds else f"{NOT_THIS_TIME}{words}")


@contextmanager
def show_error() -> Iterator[None]:
    """Let a block fail, and print the error's one line: the last line that a traceback has."""
    try:
        yield
    except Exception as error:
        words = str(error)
        print(f"{type(error).__name__}: {words}" if words else type(error).__name__)
    else:
        _say("No error.")


def check_python() -> None:
    """Print whether this Python is new enough for the course."""
    needed = _python_needed()
    have = sys.version_info[:3]
    _report(
        have >= needed,
        f"Python {_dotted(needed)} or newer",
        f"This is Python {_dotted(have)} and the course needs {_dotted(needed)} or newer: {SET_UP}",
    )


def check_packages() -> None:
    """Print for each package of pyproject.toml whether its version will do."""
    if sys.version_info[:3] < _python_needed():
        _report(False, "", f"Packages can be checked when Python is new enough: {SET_UP}")
        return
    import tomllib

    project = tomllib.loads((place.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for line in project["dependencies"]:
        name, _, needed = line.partition(">=")
        name = name.partition("[")[0]
        try:
            have = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            _report(False, "", f"{name} is not installed for this Python: {SET_UP}")
            continue
        _report(
            _numbers(have) >= _numbers(needed),
            f"{name} {needed} or newer",
            f"{name} is {have} and the course needs {needed} or newer: {SET_UP}",
        )


def check_server() -> None:
    """Print whether the database server answers."""
    done = _run("demos.pool_demo.where")
    failure = _failure("The database cannot be used", done.stderr)
    _report(done.returncode == 0, "a MySQL-compatible server answers", str(failure))


def check_seed(*names: str) -> None:
    """Print whether the table `student` holds these students and no others."""
    done = _run("demos.pool_demo.step2_borrow_and_return")
    if done.returncode != 0:
        _report(False, "", str(_failure("The students cannot be read", done.stderr)))
        return
    found = re.findall(r"""'name': ['"](.*?)['"], 'age'""", done.stdout)
    _report(
        found == list(names),
        f"{len(found)} students: {', '.join(found)}",
        f"The table student holds {', '.join(found) or 'nobody'}, where the seed has "
        f"{', '.join(names)}: restore the seed in a terminal with: python3 -m course db reset",
    )


def check_port() -> None:
    """Print whether a program can open a port on this machine and be reached there."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        _report(
            False,
            "",
            f"No port of 127.0.0.1 can be used ({error}): allow Python local connections in this "
            "machine's firewall, and look in a terminal at: python3 -m course doctor",
        )
    else:
        _report(True, "a free port on 127.0.0.1 can be opened and reached", "")


def _report(good: bool, fact: str, cure: str) -> None:
    word = "ok      " if good else "NOT OK  "
    print(word + language.translated(fact if good else cure))


def _say(sentence: str) -> None:
    """Print in the reader's language. Who listens to a cell for the answer to a guess hears English."""
    shown = language.translated(sentence)
    hear = getattr(sys.stdout, "hear", None)
    if hear is None:
        print(shown)
    else:
        hear(sentence, shown)


def _display(plain: str, markdown: str) -> None:
    """Display Markdown, which follows the reader's light or dark theme; outside a notebook, print."""
    if kernel.shell() is None:
        print(plain)
    else:
        from IPython.display import display

        display({"text/markdown": markdown, "text/plain": plain}, raw=True)  # type: ignore[no-untyped-call]


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A kernel asks for colours, which are noise in text that is kept.
    colours = ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")
    mine = {name: value for name, value in os.environ.items() if name not in colours}
    try:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=place.ROOT,
            env={**mine, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=RUN_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LessonError(
            f"{module} is not done after {RUN_LIMIT:g} s: look in a terminal whether the database "
            "answers, with: python3 -m course doctor"
        ) from None


def _failure(what: str, said: str) -> LessonError:
    """Turn what a process said in the end into a sentence; a traceback goes below it."""
    lines = said.strip().splitlines()
    if len(lines) == 1:  # the demos' own sentence, which has cause and cure
        return LessonError(lines[0])
    if not lines:
        return LessonError(
            f"{what}, without a word: more is said in a terminal by: python3 -m course doctor"
        )
    return LessonError(f"{what}: {lines[-1]}", "\n".join(lines))


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _python_needed() -> tuple[int, ...]:
    text = (place.ROOT / "pyproject.toml").read_text("utf-8")
    found = re.search(r'^requires-python = ">=([\d.]+)"', text, re.MULTILINE)
    return _numbers(found[1]) if found else (3, 11)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
