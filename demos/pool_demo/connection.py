"""A4, A5: PyMySQL's connection, and what a pool must know of it besides.

It can be made new again without a round trip, it knows the server's state after every answer, it
says whether an answer is still to come, and it refuses what the server or the driver cannot take.
"""

import struct
from typing import Any

import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants import COMMAND, ER, SERVER_STATUS

from demos.pool_demo.values import CONVERSIONS

_RESET_CONNECTION = 0x1F  # a command of the protocol; PyMySQL has no name for it
_SMALL = 60_000  # bytes; every server takes a statement of that length


class Result(MySQLResult):
    """An answer. PyMySQL drops the server's state that comes behind the last row; we keep it."""

    def _check_packet_is_eof(self, packet: Any) -> bool:  # noqa: ANN401 - PyMySQL has no types
        if not packet.is_eof_packet():
            return False
        self.warning_count, self.server_status = struct.unpack("<xHH", packet.get_all_data()[:5])
        self.has_next = bool(self.server_status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS)
        return True


_Untyped: Any = pymysql.Connection  # what we change of it has no types


class Connection(_Untyped):  # type: ignore[misc]
    """A connection that is lent to one caller after the other."""

    used = False  # something was asked since it was new
    settled = True  # whatever was asked has been answered to the end
    _first: list[bytes]  # what goes to the server in front of the next statement
    _next_seq_id: int  # PyMySQL's: of the next packet
    _unread = 0  # answers that come in front of the next statement's
    _limit = 0  # the server's max_allowed_packet in bytes, once asked

    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Prepare or connect. The arguments are those of `pymysql.connect`."""
        self._first = []
        super().__init__(conv=CONVERSIONS, **arguments)

    def connect(self, sock: Any = None) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect; raises pymysql.OperationalError."""
        self._first, self._unread = [], 0
        super().connect(sock)
        self.used, self.settled = False, True

    def start_over(self, setting: str) -> None:
        """Make the session new, and then run the SQL `setting`, at the next statement.

        The server rolls back and drops variables, locks, temporary tables and prepared statements.
        The database and the role stay as they are.
        """
        self._first = [_packet(_RESET_CONNECTION)]
        self.ahead(setting)
        self.used = False

    def ahead(self, sql: str) -> None:
        """Run a statement together with the next one: nobody waits for its answer.

        If it fails, the next statement fails so, and the connection closes. So it must be one
        without which the next does no harm.
        """
        self._first.append(_packet(COMMAND.COM_QUERY, sql.encode(self.encoding)))

    def in_transaction(self) -> bool:
        """Say whether a transaction was open after the last answer."""
        return bool(self.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    def query(self, sql: str | bytes, unbuffered: bool = False) -> int:
        """Run a statement. One that is too long for the server is a DataError, and is not sent."""
        if isinstance(sql, str):
            sql = sql.encode(self.encoding)
        if len(sql) > _SMALL:
            self._limit = self._limit or self._ask_limit()
            if len(sql) + 2 >= self._limit:
                raise pymysql.DataError(
                    ER.NET_PACKET_TOO_LARGE,
                    f"the statement has {len(sql)} bytes, and the server takes less than "
                    f"{self._limit}: send less at a time, or raise its max_allowed_packet",
                )
        return int(super().query(sql, unbuffered))

    def _ask_limit(self) -> int:
        cursor = pymysql.cursors.Cursor(self)
        cursor.execute("select @@max_allowed_packet")
        (found,) = cursor.fetchone() or (0,)
        return int(found)

    # -- what PyMySQL calls -----------------------------------------------------------------------

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        self.used, self.settled = True, False
        super()._execute_command(command, sql)
        self._read_first()

    def _write_bytes(self, data: bytes) -> None:
        if self._first:
            data, self._unread = b"".join([*self._first, data]), len(self._first)
            self._first = []
        super()._write_bytes(data)

    def _read_first(self) -> None:
        expected = self._next_seq_id  # of the answer to the statement itself
        try:
            while self._unread:
                self._next_seq_id = 1
                self._read_packet()
                self._unread -= 1
        except pymysql.MySQLError:  # what was sent behind it may have run all the same
            self._force_close()
            raise
        self._next_seq_id = expected

    def _read_query_result(self, unbuffered: bool = False) -> int:
        self._result = None
        result = Result(self)
        try:
            if unbuffered:
                result.init_unbuffered_query()
            else:
                result.read()
        except pymysql.MySQLError:  # an answer too, or the connection is closed
            self.settled = True
            raise
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        self.settled = not (result.has_next or result.unbuffered_active)
        return int(result.affected_rows or 0)


def _packet(command: int, body: bytes = b"") -> bytes:
    return struct.pack("<iB", len(body) + 1, command) + body
