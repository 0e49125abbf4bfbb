"""A1, A4, A5: See the pool: a running load, live, with buttons that disturb it.

Source: A1 draws requests that borrow from a pool, and A4 lists the pool's parameters. What happens
in a pool from one moment to the next, no figure shows.

See: open the page and press Start. Above, a lane for each connection, with its number at the
server: connecting, idle, checked out, in a query, being pinged or rolled back. Below, a lane for
each caller, which is coloured while the caller waits. The server's process list is compared with
what is drawn, twice a second.

Try: more clients than connections, with PooledDB default and then with MysqlHelp: who gets a turn,
and who goes on waiting? Add 20 ms of latency: what does each way do in that time? Leak one, and
kill that one: when does the pool notice? Restart the server.

New: step 3i drew a pool when all was over. Here you watch, and take part.
"""

import argparse

from demos.pool_demo.observer import Observer
from demos.pool_demo.pool_page import create_app, port_number, serve
from demos.pool_demo.show import run


def main() -> None:
    """Serve the page until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--port", type=port_number, default=5000, help="default: 5000; 0: a free one"
    )
    port = parser.parse_args().port
    with Observer() as observer:
        serve(create_app(observer), port)


if __name__ == "__main__":
    run(main)
