"""A1, A4, A5: See the pool: a live page of a running load, with buttons that disturb it.

Source: A1 draws requests that borrow from a pool, and A4 lists the pool's parameters. No figure of
the source shows what happens in a pool over time.

See: open the page and press Start. At the top there is one row for each connection, with its number
on the server. Its colour says what it does: connecting, idle, checked out, in a query, in a ping or
in a rollback. Below there is one row for each caller, coloured while the caller waits. Twice a
second the page is compared with the server's process list.

Try: set more clients than connections, with PooledDB default and then with MysqlHelp. Who gets a
turn, and who waits on? Add 20 ms of latency: what does each way do in that time? Leak a connection,
and kill that one: when does the pool notice? Restart the server.

New: step 3i drew a pool after the run. Here you watch it live, and can change it.
"""

import argparse

from demos.instruments import ports
from demos.instruments.screen import run
from demos.pool_demo.live.observer import Observer
from demos.pool_demo.live.page import create_app, serve


def main() -> None:
    """Serve the page until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--port", type=ports.port_number, default=5000, help="default: 5000; 0: a free one"
    )
    port = parser.parse_args().port
    with Observer() as observer:
        serve(create_app(observer), port)


if __name__ == "__main__":
    run(main)
