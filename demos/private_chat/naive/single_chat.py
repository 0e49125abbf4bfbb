"""B3, B4: The source's log-in and chat by session, with E15, W4, W6, W8, W11, W12, W14.

python -m demos.private_chat.naive.single_chat --port 0

Right: ../step3_messages.py. The chat, /single_ws, is the source's. The log-in has only what the
chat needs: it checks hashes, because the seed has hashes, and its SQL has parameters. The source's
own log-in is in pool_demo/naive. The users on the page are those of the seed. As in the source,
there is no log-out and no gevent monkey patching.
"""

import json
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB
from flask import Flask, redirect, render_template, request, session
from werkzeug.wrappers import Response

from demos.group_chat.naive.serving import serve
from demos.pool_demo.naive.published_key import SECRET_KEY
from demos.pool_demo.settings import connect_args
from demos.pool_demo.step2b_pool_for_login import LIMITS, log_in

app = Flask(__name__)
app.secret_key = SECRET_KEY  # E15
pool = PooledDB(creator=pymysql, **LIMITS, ping=0, **connect_args())
sockets: dict[str, Any] = {}  # user → socket


@app.route("/login", methods=["GET", "POST"])
def login() -> str | Response:
    """Begin a session if name and password are right."""
    if request.method == "GET":
        return render_template("login.html")
    # W12: while the database works, this one thread waits, and with it every chat.
    if not log_in(pool, request.form["username"], request.form["password"]):
        return render_template("login.html", error="用户名米亚错误")  # the source's slip
    session["user_name"], session["is_login"] = request.form["username"], True
    return redirect("/single")


@app.route("/single")
def page() -> str:
    """The page of the chat."""
    return render_template("single.html", users=["韩雪", "舒畅", "唐嫣", "小甜甜"])


@app.route("/single_ws", websocket=True)  # the source has it without (W1)
def single() -> str:
    """Send each message of this socket to the users that it names."""
    socket: Any = request.environ.get("wsgi.websocket", "")  # W8: a page of any site may connect
    user: Any = session.get("user_name")  # W14: None without a log-in, and the code goes on
    if user not in sockets and user:
        sockets[user] = socket  # W4: a user's first tab; a second one receives nothing
    while True:
        try:
            message = json.loads(socket.receive())
            friends, text = message.get("to_friend"), f"来自{user}:{message.get('msg')}"
            for friend in friends:  # W6: if it is a text, these are its letters
                sockets[friend].send(text)
        except:  # noqa: E722
            # W11: the loop goes on. This user can still send, but receives nothing: a zombie.
            # W4: an error in any tab removes the first tab. At the second error, or at the first
            # one of a client without a log-in (W14), the key is missing, and `pop` raises an error.
            sockets.pop(user)


if __name__ == "__main__":
    serve(app, page="login")
