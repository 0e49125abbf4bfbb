"""B1, B6: Several processes.

Source: B1 says that the map from user to socket could move to Redis.

See: start it twice with --redis, on two ports. Log in as two friends, one at each process. They
chat as in one process. Without --redis, this step is the same as step 5.

Try: end one of the two with kill -9: within ten seconds the other page shows the friend as offline.
Stop Redis while you chat: messages still arrive, a few seconds later, from the database.

New: `RedisSwitchboard` replaces `Switchboard`. Log-in attempts are counted in Redis, for all
processes together.
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
from demos.private_chat.web.metering import RATE
from demos.private_chat.web.serving import options, serve


def main() -> None:
    """Serve the messenger until Ctrl-C."""
    parser = options("The finished messenger.")
    parser.add_argument("--redis", metavar="URL", help="work together with other processes")
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second and user")
    chosen = parser.parse_args()
    if not chosen.rate > 0:
        parser.error("argument --rate: has to be more than 0")
    db, board = database(), switchboard(chosen.redis)
    friendships = Friendships(db, board)
    post = Mailbox(database(MESSAGES), board, friendships)
    page = conversations(db, board, post, chosen.rate)
    features = accounts(db, board), friends(friendships), page
    app = create_app(*features, limits_at=chosen.redis or "memory://")

    def at_end() -> None:
        post.stop()
        board.stop()

    serve(app, chosen, at_end)


def switchboard(url: str | None) -> Switchboard:
    """Return the switchboard for one process, or, with a Redis URL, for many."""
    if not url:
        return Switchboard()
    from demos.private_chat.in_redis.switchboard import RedisSwitchboard

    return RedisSwitchboard(url)


if __name__ == "__main__":
    main()
