"""B3, B7: Thirteen bad log-ins, more or less.

Source: B3's log-in borrows from B7's pool of six, puts its SQL together with %, and gives the
connection back in the last line. User `a"` is an SQL error, and the last line is not reached (E13).

See: bad log-ins, one after the other, until the server does not answer any more. Each one loses a
connection; how many it takes depends on whether Python finds some again in its garbage, in time.
Then a good log-in is not answered either, while all connections are idle. The same server with
MysqlHelp, and with the same bad SQL, answers all of them.

Try: add a `finally` to `find` in naive/login_server.py. Then take it out and borrow by a `with`.

New: step 7e waited for connections that somebody held. Here nobody holds them: they were lost.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from demos.pool_demo.settings import ROOT
from demos.pool_demo.show import conclude, run
from demos.pool_demo.witness import Witness

PATIENCE = 1.5  # seconds until a log-in counts as not answered
BAD, GOOD = 'a"', "韩雪"
WEB = build_opener(ProxyHandler({}))  # 127.0.0.1 without a detour


@contextmanager
def login_server(pool: str) -> Iterator[str]:
    """Run a log-in server in a process of its own; give its URL."""
    command = [sys.executable, "-m", "demos.pool_demo.naive.login_server", pool]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            yield f"http://127.0.0.1:{port}/login"
        finally:
            process.kill()


def log_in(url: str, user: str) -> str:
    """Post a log-in; return the server's answer, or that there was none."""
    try:
        form = urlencode({"username": user}).encode()
        with WEB.open(url, form, timeout=PATIENCE) as answer:
            return str(answer.read().decode())
    except HTTPError as error:
        return f"error {error.code}"
    except (URLError, TimeoutError):
        return "no answer"


def attack(pool: str, most: int = 40) -> tuple[int, str]:
    """Try up to `most` bad log-ins, then a good one; return how many were answered, and that."""
    answered = 0
    with Witness() as witness, login_server(pool) as url:
        while answered < most and log_in(url, BAD) != "no answer":
            answered += 1
        states = [connection.command for connection in witness.seen()]
        good = log_in(url, GOOD)
    print(f"{pool}: {answered} bad log-ins answered; then {GOOD}: {good}")
    print(f"{pool}: the database sees {len(states)} connections, {states.count('Sleep')} idle")
    return answered, good


def main() -> None:
    """Attack both servers."""
    naive, after = attack("naive")
    ours, after_ours = attack("MysqlHelp")
    conclude(
        f"bad log-in {naive + 1} froze the naive server, and a good one got: {after}; MysqlHelp's "
        f"answered {ours} bad ones, and a good one got: {after_ours}."
    )


if __name__ == "__main__":
    run(main)
