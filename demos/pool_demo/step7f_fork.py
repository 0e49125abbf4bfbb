"""A4, A7: A fork with an open pool.

Source: A4 makes the pool when its module is imported, A7 at the first query. A server that forks
its workers after that gives all of them the same connections: the same sockets.

See: the child asks, and then gets no turn for a moment (SIGSTOP), as on any busy machine. The
parent asks, over the same socket, and reads the child's row; then the child reads the parent's.
When the child closes its pool, the parent's connections are gone. With MysqlHelp each reads its
own row, and the parent keeps its connection.

Try: call open_pool() again in the naive child before it asks. Whose row does the parent read? And
leave `ssl_disabled` out, on a server that offers TLS (MariaDB 11.4, MySQL 8): both count what they
encrypt from the same number on. The server takes the parent's question for a forged one and hangs
up; the child asks again on a new connection.

New: step 7e had too few connections. Here two processes believe that the same one is theirs.
"""

import os
import signal
import time
from collections.abc import Callable

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import forked_pool, teller
from demos.pool_demo.show import conclude, run, table
from demos.pool_demo.witness import Witness

Ask = Callable[[str, Callable[[str], object]], object]  # the SQL, and what to do with the answer
SQL = "select '{}' as who, sleep(0.8)"


def fork_child(ask: Ask, close: Callable[[], None], tell: int) -> int:
    """Fork a child that asks, tells what it read, and closes its pool; return its pid."""
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # seconds until it would be ended
        try:
            ask(SQL.format("the child"), lambda who: os.write(tell, who.encode()))
            close()
        finally:
            os._exit(0)
    return child


def both_ask(witness: Witness, ask: Ask, close: Callable[[], None]) -> dict[str, object]:
    """Fork, and let both ask; return whose row each read, and what is left of the connections."""
    ask("select 'nobody' as who", lambda who: None)
    while any(connection.command != "Sleep" for connection in witness.seen()):
        time.sleep(0.005)
    before = set(witness.ids())
    hear, tell = os.pipe()
    child = fork_child(ask, close, tell)
    seen: dict[str, object] = {}

    def go_on(who: str) -> None:
        seen["parent read"] = who
        os.kill(child, signal.SIGCONT)
        os.waitpid(child, 0)
        os.close(tell)
        seen["child read"] = os.read(hear, 100).decode()
        os.close(hear)

    while not any(connection.command == "Query" for connection in witness.seen()):
        time.sleep(0.005)
    os.kill(child, signal.SIGSTOP)
    os.waitpid(child, os.WUNTRACED)
    ask(SQL.format("the parent"), go_on)
    return seen | {"kept": len(before & set(witness.ids())), "of": len(before)}


def main() -> None:
    """Fork, by both ways."""
    with Witness() as witness:
        # Without TLS, as the source's PyMySQL connects: with it, the server sees the mix-up.
        pool, db = teller.open_pool(ssl_disabled=True), MysqlHelp()
        naive = both_ask(witness, lambda sql, use: forked_pool.ask(pool, sql, use), pool.close)
        pool.close()
        witness.settle(0)
        ours = both_ask(witness, lambda sql, use: use((db.selectone(sql) or {})["who"]), db.close)
        db.close()
    table("After a fork", [{"pool": "naive", **naive}, {"pool": "MysqlHelp", **ours}])
    conclude(
        f"the naive parent read the row of {naive['parent read']} and kept {naive['kept']} of "
        f"{naive['of']} connections; with MysqlHelp it read that of {ours['parent read']} and kept "
        f"{ours['kept']} of {ours['of']}."
    )


if __name__ == "__main__":
    run(main)
