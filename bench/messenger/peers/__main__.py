"""Run one of the servers: `python -m bench.messenger.peers no_storage --port 5001`."""

from gevent import monkey

monkey.patch_all()

from collections.abc import Callable
from functools import partial

from bench.messenger.peers.commit_each import CommitEach
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.private_chat.accounts import accounts
from demos.private_chat.conversations import conversations
from demos.private_chat.friends import Friendships, friends
from demos.private_chat.post import Post
from demos.private_chat.switchboard import Switchboard
from demos.private_chat.web.app import create_app
from demos.private_chat.web.database import database
from demos.private_chat.web.serving import options, serve

POSTS: dict[str, Callable[[MysqlHelp, Switchboard], Post]] = {
    "no_storage": Post,
    "commit_each": CommitEach,
    # The source patches no sockets (W12): so a message would wait for the one before.
    "commit_in_turn": partial(CommitEach, at_once=1),
}
RATE = 1e6  # messages a second from one page; nobody is slowed down here


def main() -> None:
    """Put the messenger together with one of the posts, and serve it."""
    parser = options(__doc__ or "")
    parser.add_argument("name", choices=POSTS)
    chosen = parser.parse_args()
    db, board = database(), Switchboard()
    post = POSTS[chosen.name](db, board)
    features = (
        accounts(db, board),
        friends(Friendships(db, board)),
        conversations(db, board, post, RATE),
    )
    serve(create_app(*features), chosen)


if __name__ == "__main__":
    main()
