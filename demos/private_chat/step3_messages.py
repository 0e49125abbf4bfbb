"""B4: Messages by session.

Source: B4 has the page /single and the socket /single_ws, which knows its user by the session
cookie. A client sends {"to_friend": [name, ...], "msg": text}, and each recipient gets 来自X:msg.

See: log in as two users in two browsers, or one of them in a private window, and write to each
other. Choose several names to write to several users. If a user has two tabs, both get the message.

Try: write to a user who is not online. Log out in one tab and look at the other.

New: in step 2 the pages knew who you are, and here the socket knows it, too. Any user can write to
any other. A user who is not online does not get the message; steps 4 and 5 change both.
"""

from gevent import monkey

monkey.patch_all()

from demos.private_chat.accounts import accounts
from demos.private_chat.conversations import conversations
from demos.private_chat.post import Post
from demos.private_chat.switchboard import Switchboard
from demos.private_chat.web.app import create_app
from demos.private_chat.web.database import MESSAGES, database
from demos.private_chat.web.serving import serve

db, board = database(), Switchboard()
post = Post(database(MESSAGES), board)

if __name__ == "__main__":
    serve(create_app(accounts(db, board), conversations(db, board, post)))
