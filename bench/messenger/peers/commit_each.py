"""A3, B6: a connection and a commit for each message, as A3 does for a row before it has a pool.

The source stores no messages. What this does not do speaks for it: it asks for no friendship, and
notes no delivery.
"""

from contextlib import closing

import gevent
import pymysql
from gevent.lock import BoundedSemaphore

from bench.messenger.peers import MOST
from demos.instruments.logs import now
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import connect_args
from demos.private_chat.post import Post, Told
from demos.private_chat.switchboard import Switchboard, User


class CommitEach(Post):
    """A post that opens a connection, inserts, commits, closes, and then hands the message over."""

    def __init__(self, db: MysqlHelp, board: Switchboard, at_once: int = MOST) -> None:
        """Make the post; see `Post`. It stores no more than `at_once` messages at the same time."""
        super().__init__(db, board)
        self.features = self.features._replace(keeps=True, keeps_order=True)
        self._places = BoundedSemaphore(at_once)

    def send(
        self, sender: User, to: str, msg: str, client_id: str, began: float, told: Told
    ) -> None:
        """Store a message, and hand it over to all pages of both users; see `Post.send`."""
        gevent.spawn(super().send, sender, to, msg, client_id, began, told)

    def _hand_over(self, sender: User, to: str, msg: str, client_id: str) -> None:
        recipient_id = self.id_of(to)
        # Without TLS, or reading the list of authorities would be most of what is measured.
        with self._places, closing(pymysql.connect(**connect_args(ssl_disabled=True))) as link:
            with link.cursor() as cursor:
                cursor.execute(
                    "insert into messages(sender_id, recipient_id, client_id, body)"
                    " values(%s, %s, %s, %s)",
                    (sender.id, recipient_id, client_id, msg),
                )
                number = cursor.lastrowid
            link.commit()
        event = {
            "type": "message",
            "id": number,
            "time": now(),
            "from": sender.name,
            "to": to,
            "msg": msg,
            "client_id": client_id,
            "delivered": False,
            "read": False,
        }
        self.board.send(event, {sender.id, recipient_id})
