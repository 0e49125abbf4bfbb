"""B1, B6: Several processes.

Source: B1 remarks that the map from user to socket could move to Redis.

See: start it twice with --redis, on two ports, and log in as two friends, one on each. They chat as
if there were one process. Without --redis it is step 5.

Try: end one of them with kill -9: the friend is shown as gone within ten seconds. Stop Redis while
you chat: messages still arrive, some seconds later, out of the database.

New: `RedisSwitchboard` stands where `Switchboard` stood, and attempts to log in are counted in
Redis, for all processes together.
"""

from gevent import monkey

monkey.patch_all()

from demos.private_chat.accounts import accounts
from demos.private_chat.app import create_app
from demos.private_chat.database import MESSAGES, database
from demos.private_chat.friends import Friendships, friends
from demos.private_chat.mailbox import Mailbox
from demos.private_chat.metering import RATE
from demos.private_chat.serving import options, serve
from demos.private_chat.single import single
from demos.private_chat.switchboard import Switchboard


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
    page = single(db, board, post, chosen.rate)
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
    from demos.private_chat.redis_switchboard import RedisSwitchboard

    return RedisSwitchboard(url)


if __name__ == "__main__":
    main()
