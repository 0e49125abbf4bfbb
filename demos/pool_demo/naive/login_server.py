"""E13, E5: part B's log-in over part B's pool, which thirteen bad log-ins freeze for good.

python -m demos.pool_demo.naive.login_server naive        as in the source
python -m demos.pool_demo.naive.login_server MysqlHelp    only the borrowing is different

The SQL is put together with %, so that user `a"` is an error. The error passes by the line that
gives the connection back, because there is no `finally`. Six such connections and the pool is
empty, until Python happens to collect the garbage they are in. A server without gevent's monkey
patching has one thread: once that waits for a connection, nobody is left to collect anything.
Right: step2b_pool_for_login.py has parameters and a `finally`.

The port is printed. The server ends when its standard input does.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB
from flask import Flask, request
from gevent.pywsgi import WSGIServer

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import connect_args
from demos.pool_demo.step2b_pool_for_login import LIMITS

Find = Callable[[str], Any]  # runs the SQL and returns the first row, or None


def find_over_pool() -> Find:
    """Return the source's way: borrow, query, give back, and no thought of errors (E13)."""
    pool = PooledDB(creator=pymysql, **LIMITS, ping=0, **connect_args())

    def find(sql: str) -> Any:  # noqa: ANN401
        connection = pool.connection()
        cursor = connection.cursor()
        cursor.execute(sql)
        row = cursor.fetchone()
        cursor.close()
        connection.close()
        return row

    return find


def create_app(find: Find) -> Flask:
    """Return the log-in page's server."""
    app = Flask(__name__)

    @app.post("/login")
    def login() -> str:
        # E5: by %, also in the version over MysqlHelp, because the error is wanted here.
        sql = 'select name from userinfo where name="%s"' % request.form["username"]  # noqa: UP031
        return "there is such a user" if find(sql) else "there is no such user"

    return app


def main() -> None:
    """Serve until standard input ends."""
    find = MysqlHelp(connections=6).selectone if sys.argv[1] == "MysqlHelp" else find_over_pool()
    # A real thread, because a frozen server hears nothing.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server = WSGIServer(("127.0.0.1", 0), create_app(find), log=None, error_log=None)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
