"""B6: Messages for those who are away.

Source: B6 names messages for those who are offline, as something that is not done yet. The source
has no code for it.

See: write to a friend who is away, log in as that friend: it is there, in order. Marks say sent,
delivered, read. Scroll back through the conversation. Two tabs of one user stay in step.

Try: kill this program with kill -9 while you write, and start it again. Stop the database with
`python3 -m course db stop` for a while: nothing is called sent that is not stored.

New: `Mailbox` stands where `Post` stood. It stores each message before it is acknowledged.
"""

from gevent import monkey

monkey.patch_all()

from demos.private_chat.accounts import accounts
from demos.private_chat.app import create_app
from demos.private_chat.database import MESSAGES, database
from demos.private_chat.friends import Friendships, friends
from demos.private_chat.mailbox import Mailbox
from demos.private_chat.serving import serve
from demos.private_chat.single import single
from demos.private_chat.switchboard import Switchboard

db, board = database(), Switchboard()
friendships = Friendships(db, board)
post = Mailbox(database(MESSAGES), board, friendships)

if __name__ == "__main__":
    app = create_app(accounts(db, board), friends(friendships), single(db, board, post))
    serve(app, at_end=post.stop)
