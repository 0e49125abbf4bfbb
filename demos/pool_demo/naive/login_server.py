"""B3: The source's log-in and registration over B7's pool, with E5, E13, E14, E15.

python -m demos.pool_demo.naive.login_server --port 0                      as in the source
python -m demos.pool_demo.naive.login_server --port 0 --borrow MysqlHelp   log-in over MysqlHelp

The second command differs only in how it borrows a connection; it has the same wrong SQL. With the
first command, the line that gives the connection back does not run after an error. After six such
errors the pool is empty, until Python's garbage collection finds the connections. A server without
gevent's monkey patching has one thread. While this thread waits for a connection, Python collects
no garbage (E13).
Different from the source: the table (login_by_format.py), one page with one form for both, and the
address. It listens only on this machine; the source's 0.0.0.0 would let the whole network connect.
"""

import argparse
import os
import sys
import threading

import pymysql
from dbutils.pooled_db import PooledDB
from flask import Flask, redirect, render_template_string, request, session
from gevent.pywsgi import WSGIServer
from werkzeug.wrappers import Response

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive.login_by_format import Select, log_in, over, register
from demos.pool_demo.naive.published_key import SECRET_KEY
from demos.pool_demo.settings import connect_args
from demos.pool_demo.step2b_pool_for_login import LIMITS

PAGE = """<!doctype html><title>{{ title }}</title><form method="post">
{% if problem %}<p class="problem">{{ problem }}</p>{% endif %}
<input name="username"><input name="password" type="password"><button>{{ title }}</button></form>"""


def create_app(select: Select, pool: PooledDB) -> Flask:
    """Return the source's server: a log-in uses `select`, a registration borrows from `pool`."""
    app = Flask(__name__)
    app.secret_key = SECRET_KEY  # E15

    @app.route("/login", methods=["GET", "POST"])
    def login() -> str | Response:
        if request.method == "GET":
            return page("登录")
        name = request.form.get("username")
        if not log_in(select, name, request.form.get("password")):
            return page("登录", "用户名米亚错误")  # for whatever reason; the slip is the source's
        session.update(user_name=name, is_login=True)  # as it was typed, not as the table has it
        return redirect("/single")

    @app.route("/register", methods=["GET", "POST"])
    def registration() -> str | Response:
        if request.method == "GET":
            return page("注册")
        name, password = (request.form.get(field, "") for field in ("username", "password"))
        return redirect("/login") if register(pool, name, password) else page("注册", "注册不合格")

    def page(title: str, problem: str = "") -> str:
        return render_template_string(PAGE, title=title, problem=problem)

    return app


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description="the source's log-in, faults included")
    parser.add_argument("--port", type=int, default=5000, help="5000; 0: any free one")
    parser.add_argument("--borrow", choices=["as the source", "MysqlHelp"], default="as the source")
    parser.add_argument("--tied", action="store_true", help="end when standard input does")
    chosen = parser.parse_args()
    if chosen.tied:  # a real thread, because a frozen server hears nothing
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    pool = PooledDB(creator=pymysql, **LIMITS, ping=0, **connect_args())
    ours = chosen.borrow == "MysqlHelp"
    select = MysqlHelp(connections=6).selectall if ours else over(pool)
    server = WSGIServer(("127.0.0.1", chosen.port), create_app(select, pool), log=None)
    server.start()
    print(f"Open http://127.0.0.1:{server.server_port}/login", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
