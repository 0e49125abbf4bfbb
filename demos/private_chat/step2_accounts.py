"""B3, B7: Accounts: register, log in, log out.

Source: B3 has /register and /login with a name and a password, in the table userinfo(name,
password). A log-in stores user_name and is_login in the session and goes on to /single. B7 uses the
connection pool for it; here that is MysqlHelp.

See: register, log in, log out. Look at the row: `python3 -m course db shell`, then
`select name, password from userinfo`.

Try: the password of somebody else; five wrong ones, then the right one, also in another browser; a
name that is taken; `' or 1=1 -- `. Users of the seed are 韩雪, 舒畅, 唐嫣 and 小甜甜, with the
password let-me-learn.

New: in step 1 a nickname was a word. Now it is an account. The messages come in the next step.
"""

from gevent import monkey

monkey.patch_all()  # first: a slow database must not stop the sockets (W12)

from flask import Blueprint, render_template

from demos.private_chat.accounts import accounts, required
from demos.private_chat.app import create_app
from demos.private_chat.database import database
from demos.private_chat.serving import serve
from demos.private_chat.switchboard import Switchboard

db, board = database(), Switchboard()
home = Blueprint("home", __name__)


@home.get("/single")
def single() -> str:
    """What a log-in leads to, until step 3."""
    return render_template("home.html", user=required(db))


if __name__ == "__main__":
    serve(create_app(accounts(db, board), home))
