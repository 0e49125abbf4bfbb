"""A4, A5: PyMySQL's connection, and what a pool must know of it besides.

It can be made new again without a round trip, it knows the server's state after every answer, it
says whether an answer is still to come, and it refuses what the server or the driver cannot take.
"""

import struct
from typing import Any

import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants import COMMAND, CR, ER, SERVER_STATUS
from pymysql.cursors import Cursor
from pymysql.err import raise_mysql_exception

from demos.pool_demo.values import CONVERSIONS

_OK = 0  # the first byte of an answer that holds no rows and no error
_SMALL = 60_000  # bytes; every server takes a statement of that length
# What a statement relies on, besides its time limit.
_SESSION = (
    "select @@character_set_client, @@character_set_results, @@collation_connection, @@autocommit"
)


def _packet(command: int, body: bytes = b"") -> bytes:
    return struct.pack("<iB", len(body) + 1, command) + body


_RESET = _packet(0x1F)  # COM_RESET_CONNECTION; PyMySQL has no name for it


class Result(MySQLResult):
    """An answer. PyMySQL drops the server's state that comes behind the last row; we keep it."""

    unbuffered_active = False  # PyMySQL looks for it also where Ctrl-C has struck early

    def _check_packet_is_eof(self, packet: Any) -> bool:  # noqa: ANN401 - PyMySQL has no types
        if not packet.is_eof_packet():
            return False
        self.warning_count, self.server_status = struct.unpack("<xHH", packet.get_all_data()[:5])
        self.has_next = bool(self.server_status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS)
        return True


_Untyped: Any = pymysql.Connection  # what we change of it has no types


class Connection(_Untyped):  # type: ignore[misc]
    """A connection that is lent to one caller after the other."""

    settled = True  # whatever was asked has been answered to the end
    _first: list[bytes]  # what goes to the server in front of the next statement
    _is_lone = False  # nothing but a reset does
    _unread = 0  # answers that come in front of the next statement's
    _longest = 0  # the server's max_allowed_packet in bytes, once asked

    def __init__(self, setting: str, limit: str = "", **arguments: Any) -> None:  # noqa: ANN401
        """Prepare or connect.

        Args:
            setting: the SQL that makes a new session one of ours.
            limit: what goes in front of a statement to limit its time, where nothing was set.
            arguments: those of `pymysql.connect`.
        """
        self._anew = [_RESET, _packet(COMMAND.COM_QUERY, setting.encode())]
        self._limit_of_one = limit
        self._first = []
        super().__init__(conv=CONVERSIONS, **arguments)

    def connect(self, sock: Any = None) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect; raises pymysql.OperationalError."""
        self._first, self._unread, self._is_lone = [], 0, False
        try:
            super().connect(sock)
            self._is_ours_after_reset = self._try_reset()
            self.settled = True
        except BaseException:
            self.settled = False  # if closing is interrupted, too, nobody will take it for alive
            self._force_close()
            raise

    def start_over(self) -> None:
        """Make the session new at the next statement.

        The server rolls back and drops variables, locks, temporary tables and prepared statements.
        The database and the role stay as they are.
        """
        self._first, self._is_lone = self._anew.copy(), False

    def lone(self, sql: str) -> str:
        """Return the SQL for a statement that is the only one until the session starts over.

        Where a reset leaves all but the time limit as it should be, nothing else needs to be set:
        the statement carries its limit, and the server has one thing less to do.
        """
        if not self._is_ours_after_reset:
            return sql
        self._first, self._is_lone = [_RESET], True
        return self._limit_of_one + sql

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
            self._longest = self._longest or int(self._ask("select @@max_allowed_packet")[0])
            if len(sql) + 2 >= self._longest:
                raise pymysql.DataError(
                    ER.NET_PACKET_TOO_LARGE,
                    f"the statement has {len(sql)} bytes, and the server takes less than "
                    f"{self._longest}: send less at a time, or raise its max_allowed_packet",
                )
        return int(super().query(sql, unbuffered))

    def _try_reset(self) -> bool:
        """Find out whether a session is one of ours also after a reset, but for its time limit.

        MariaDB goes back to the character set that was agreed on when connecting. MySQL takes the
        one that is the server's at that moment.
        """
        if "MariaDB" not in self.server_version:
            return False
        ours = self._ask(_SESSION)
        self._first = [_RESET]
        return self._ask(_SESSION) == ours

    def _ask(self, sql: str) -> tuple[Any, ...]:
        cursor = Cursor(self)
        cursor.execute(sql)
        return cursor.fetchone() or ()

    # -- what PyMySQL calls -----------------------------------------------------------------------

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        self.settled = False
        super()._execute_command(command, sql)
        self._read_first()

    def _write_bytes(self, data: bytes) -> None:
        if self._first:
            data, self._unread = b"".join([*self._first, data]), len(self._first)
            self._first = []
        super()._write_bytes(data)

    def _read_first(self) -> None:
        try:
            while self._unread:
                length = int.from_bytes(self._read_bytes(4)[:3], "little")
                answer = self._read_bytes(length)
                if answer[0] != _OK:
                    raise_mysql_exception(answer)
                self._unread -= 1
                if self._is_lone and not answer[3] & SERVER_STATUS.SERVER_STATUS_AUTOCOMMIT:
                    raise pymysql.OperationalError(
                        CR.CR_SERVER_LOST,
                        "the server's sessions do not commit by themselves any more: the statement "
                        "was undone; run it again",
                    )
        except pymysql.MySQLError:  # what was sent behind it may have run all the same
            self._force_close()
            raise

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
