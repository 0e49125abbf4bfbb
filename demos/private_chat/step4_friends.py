"""B5: Friends.

Source: B5 has /add_friends and /friends without code. Its comments say that the page fetches the
list and builds it.

See: send a friend request, accept it, decline it, remove a friend, block a user. The list shows who
is online. It changes by itself in all open pages.

Try: write to a user who is not a friend. Let two users send each other a request at the same time.
Block a user, and let this user send a request again.

New: before it sends a message, the `Post` of step 3 now asks `friendships` whether the two are
friends. Nothing else in it is different.
"""

from gevent import monkey

monkey.patch_all()

from demos.private_chat.accounts import accounts
from demos.private_chat.conversations import conversations
from demos.private_chat.friends import Friendships, friends
from demos.private_chat.post import Post
from demos.private_chat.switchboard import Switchboard
from demos.private_chat.web.app import create_app
from demos.private_chat.web.database import MESSAGES, database
from demos.private_chat.web.serving import serve

db, board = database(), Switchboard()
friendships = Friendships(db, board)
post = Post(database(MESSAGES), board, friendships)

if __name__ == "__main__":
    app = create_app(accounts(db, board), friends(friendships), conversations(db, board, post))
    serve(app)
