"""B6: Messages for users who are offline.

Source: B6 names messages for offline users as something that is still to do. It has no code for it.

See: write to a friend who is offline, and log in as that friend: the messages are there, in order.
Marks say sent, delivered, read. Scroll up to read older messages. Two tabs of one user show the
same.

Try: end this program with kill -9 while you write, and start it again. Stop the database with
`python3 -m course db stop` for a while: a message that is not stored is never marked as sent.

New: `Mailbox` replaces `Post`. It stores each message before it acknowledges it.
"""

from gevent import monkey

monkey.patch_all()

from demos.private_chat.accounts import accounts
from demos.private_chat.conversations import conversations
from demos.private_chat.friends import Friendships, friends
from demos.private_chat.mailbox import Mailbox
from demos.private_chat.switchboard import Switchboard
from demos.private_chat.web.app import create_app
from demos.private_chat.web.database import MESSAGES, database
from demos.private_chat.web.serving import serve

db, board = database(), Switchboard()
friendships = Friendships(db, board)
post = Mailbox(database(MESSAGES), board, friendships)

if __name__ == "__main__":
    app = create_app(accounts(db, board), friends(friendships), conversations(db, board, post))
    serve(app, at_end=post.stop)
