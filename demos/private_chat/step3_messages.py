"""B4: Messages by session.

Source: B4 has the page /single and the socket /single_ws, which knows its user by the session
cookie. A client sends {"to_friend": [name, ...], "msg": text}; each recipient gets 来自X:msg.

See: log in as two users in two browsers, or one of them in a private window, and write to each
other. Tick several names to write to several. A user with two tabs gets the message in both.

Try: write to somebody who is not online. Log out in one tab and look at the other.

New: step 2 knew who you are; now the socket does as well. Anybody can write to anybody, and who is
not there misses it: the next two steps.
"""

from gevent import monkey

monkey.patch_all()

from demos.private_chat.accounts import accounts
from demos.private_chat.app import create_app
from demos.private_chat.database import MESSAGES, database
from demos.private_chat.post import Post
from demos.private_chat.serving import serve
from demos.private_chat.single import single
from demos.private_chat.switchboard import Switchboard

db, board = database(), Switchboard()
post = Post(database(MESSAGES), board)

if __name__ == "__main__":
    serve(create_app(accounts(db, board), single(db, board, post)))
