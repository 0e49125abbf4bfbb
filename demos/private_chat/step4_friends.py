"""B5: Friends.

Source: B5 has /add_friends and /friends as stubs. Its comments say that the page is to fetch the
list and build it.

See: ask somebody to be your friend, accept, decline, remove, block. The list shows who is online,
and changes by itself in all open pages.

Try: write to somebody who is no friend. Ask each other at the same moment. Block somebody and let
them ask again.

New: the post of step 3 asks `friendships` who may write to whom. Nothing else of it has changed.
"""

from gevent import monkey

monkey.patch_all()

from demos.private_chat.accounts import accounts
from demos.private_chat.app import create_app
from demos.private_chat.database import MESSAGES, database
from demos.private_chat.friends import Friendships, friends
from demos.private_chat.post import Post
from demos.private_chat.serving import serve
from demos.private_chat.single import single
from demos.private_chat.switchboard import Switchboard

db, board = database(), Switchboard()
friendships = Friendships(db, board)
post = Post(database(MESSAGES), board, friendships)

if __name__ == "__main__":
    app = create_app(accounts(db, board), friends(friendships), single(db, board, post))
    serve(app)
