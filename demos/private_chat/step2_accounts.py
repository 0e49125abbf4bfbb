"""B3, B7: Accounts: register, log in, log out.

Source: B3 has /register and /login with a name and a password, in the table userinfo(name,
password). After a log-in, the session contains user_name and is_login, and the browser goes to
/single. B7 uses the connection pool for this, and here it is MysqlHelp.

See: register, log in, log out. Look at your row: `python3 -m course db shell`, then `select name,
password from userinfo`.

Try: log in with another user's password. Send five wrong passwords and then the right one, also
from another browser. Register a name that exists. Try the name `' or 1=1 -- `. The seed has the
users 韩雪, 舒畅, 唐嫣 and 小甜甜, with the password let-me-learn.

New: in step 1 anybody could take a nickname. Here a name belongs to an account with a password. The
next step adds the messages.
"""

from gevent import monkey

monkey.patch_all()  # first: a slow database must not stop the sockets (W12)

from flask import Blueprint, render_template

from demos.private_chat.accounts import accounts, required
from demos.private_chat.switchboard import Switchboard
from demos.private_chat.web.app import create_app
from demos.private_chat.web.database import database
from demos.private_chat.web.serving import serve

db, board = database(), Switchboard()
home = Blueprint("home", __name__)


@home.get("/single")
def single() -> str:
    """The page after a log-in, until step 3."""
    return render_template("home.html", user=required(db))


if __name__ == "__main__":
    serve(create_app(accounts(db, board), home))
