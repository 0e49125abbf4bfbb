"""B3, B7: A dozen bad log-ins.

Source: B3's log-in borrows from B7's pool of six, builds its SQL with %, and gives the connection
back after the query. The user name `a"` makes an SQL error, and then the line that gives back does
not run (E13).

See: bad log-ins, one after the other, until the server does not answer any more. Each one loses a
connection. The number of log-ins varies, because Python's garbage collection sometimes gives a lost
connection back. After that a good log-in gets no answer either, while all connections are idle. The
same server with MysqlHelp, and with the same bad SQL, answers all of them.

Try: post the bad name to /register instead. Why does that never stop the server? (What else does
the `except` in naive/login_by_format.py do, besides hiding the error?) Then add a `finally` to
`select` there.

New: in step 7e the callers held the connections. Here nobody holds them: they are lost.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

from demos.instruments.screen import conclude, run
from demos.instruments.witness import Witness
from demos.pool_demo.naive.login_by_format import clear_passwords
from demos.pool_demo.settings import ROOT

PATIENCE = 1.5  # seconds until a log-in counts as not answered
BAD, GOOD = ('a"', "guess"), ("alice", "wonderland")
SOURCE, OURS = "as the source", "MysqlHelp"  # how the server borrows
SERVER = [sys.executable, "-m", "demos.pool_demo.naive.login_server", "--port", "0", "--tied"]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@contextmanager
def login_server(borrow: str) -> Iterator[str]:
    """Run a log-in server with one user in its own process; give the address of its log-in."""
    command, pipe = [*SERVER, "--borrow", borrow], subprocess.PIPE
    with (
        clear_passwords(dict([GOOD])),
        subprocess.Popen(
            command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        ) as process,
    ):
        try:
            yield process.stdout.readline().split()[-1] if process.stdout else ""
        finally:
            process.kill()


def log_in(url: str, who: tuple[str, str]) -> str:
    """Post a log-in with this name and password; return the result in words."""
    form = urlencode({"username": who[0], "password": who[1]})
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)) as connection:
        try:
            connection.request("POST", "/login", form, FORM)
            status = connection.getresponse().status
        except OSError:
            return "no answer"
    return {200: "refused", 302: "let in"}.get(status, f"error {status}")


def attack(borrow: str, most: int = 40) -> tuple[int, str]:
    """Try up to `most` bad log-ins, then a good one; return the answers' number, and the last."""
    answered = 0
    with Witness() as witness, login_server(borrow) as url:
        while answered < most and log_in(url, BAD) != "no answer":
            answered += 1
        server = witness.seen()[1:]  # the first is that of `clear_passwords`
        good = log_in(url, GOOD)
    idle = [connection.command for connection in server].count("Sleep")
    print(f"{borrow}: {answered} bad log-ins answered; then {GOOD[0]}: {good}")
    print(f"{borrow}: the database sees {len(server)} connections of the server, {idle} idle")
    return answered, good


def main() -> None:
    """Attack both servers."""
    naive, after = attack(SOURCE)
    ours, after_ours = attack(OURS)
    conclude(
        f"bad log-in {naive + 1} froze the source's server, and a good one got: {after}; with "
        f"MysqlHelp it answered {ours} bad ones, and a good one got: {after_ours}."
    )


if __name__ == "__main__":
    run(main)
