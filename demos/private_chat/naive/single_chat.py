"""B3, B4: The source's log-in and chat by session, with W4, W6, W8, W11, W12, W14.

python -m demos.private_chat.naive.single_chat --port 0

Right: ../step3_messages.py. The passwords in the seed are hashes, so this checks them as such, and
its SQL has parameters; how the source did that is in pool_demo/naive. Its errors are of the chat:
gevent's monkey patching is missing, and so is any thought of who is not logged in.
"""

import json
import os
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB
from flask import Flask, redirect, render_template, request, session
from werkzeug.wrappers import Response

from demos.group_chat.naive.serving import serve
from demos.pool_demo.settings import connect_args
from demos.pool_demo.step2b_pool_for_login import LIMITS, log_in

app = Flask(__name__)
app.secret_key = os.urandom(16)
pool = PooledDB(creator=pymysql, **LIMITS, ping=0, **connect_args())
sockets: dict[Any, Any] = {}  # user → socket


@app.route("/login", methods=["GET", "POST"])
def login() -> str | Response:
    """Begin a session if name and password are right."""
    if request.method == "GET":
        return render_template("login.html")
    # W12: whatever time the database takes, this one thread waits, and with it every chat.
    if not log_in(pool, request.form["username"], request.form["password"]):
        return render_template("login.html", error="用户名或密码错误")
    session["user_name"], session["is_login"] = request.form["username"], True
    return redirect("/single")


@app.route("/logout", methods=["GET", "POST"])
def logout() -> Response:
    """End the session; the socket stays open (W14)."""
    session.clear()
    return redirect("/login")


@app.route("/single")
def page() -> str:
    """The page of the chat."""
    return render_template("single.html", users=["韩雪", "舒畅", "唐嫣", "小甜甜"])


@app.route("/single_ws", websocket=True)
def single() -> str:
    """Pass on what this socket says to those whom it names."""
    socket: Any = request.environ.get("wsgi.websocket")  # W8: from a page of whatever site
    user = session.get("user_name")  # W14: None for who is not logged in, and goes on
    sockets[user] = socket  # W4: another tab of the same user hears no more
    while True:
        try:
            message = json.loads(socket.receive())
            for friend in message["to_friend"]:  # W6: a text is a list of its letters
                sockets[friend].send(f"来自{user}:{message['msg']}")
        except:  # noqa: E722
            # W11: the loop goes on, and this user hears no more: a deaf zombie. At the second
            # error there is nothing to remove, and it raises; for who is nobody, KeyError: None.
            del sockets[user]


if __name__ == "__main__":
    serve(app, page="login")
