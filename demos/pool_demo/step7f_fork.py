"""A4, A7: A fork while a pool is open.

Source: A4 makes the pool when its module is imported, A7 at the first query. If a server starts its
workers with a fork after that, all of them have the same connections: the same sockets.

See: the child sends a query. Then it is stopped for a moment (SIGSTOP), as can happen on any busy
machine. The parent sends its query over the same socket and reads the child's row. Then the child
reads the parent's row. When the child closes its pool, the parent's connections are closed too.
With MysqlHelp each reads its own row, and the parent keeps its connection.

Try: call open_pool() again in the naive child before its query. Whose row does the parent read?
Then leave out `ssl_disabled`, on a server that offers TLS (MariaDB 11.4, MySQL 8). Both processes
then number their encrypted messages from the same number on. The server takes the parent's message
for a forged one and closes the connection. The child sends its query again on a new connection.

New: step 7e had too few connections. Here two processes use the same connection.
"""

import os
import signal
import time
from collections.abc import Callable

from demos.instruments.screen import conclude, run, table
from demos.instruments.witness import Witness
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import forked_pool, teller

Ask = Callable[[str, Callable[[str], object]], object]  # the SQL, and what to do with the answer
SQL = "select '{}' as who, sleep(0.8)"


def fork_child(ask: Ask, close: Callable[[], None], tell: int) -> int:
    """Fork a child that queries, reports its row, and closes its pool; return its process id."""
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
    """Fork and let both query. Returns whose row each read, and the connections that are left."""
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
    """Fork with both ways."""
    with Witness() as witness:
        # Without TLS, as the source's PyMySQL connects. With TLS the server notices the mix-up.
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
