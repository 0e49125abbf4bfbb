"""A4, A5: PyMySQL's connection, with what a pool needs besides.

It can reset its session without a round trip. It knows the server's state after every answer, and
whether an answer is still to come. It refuses what the server or the driver cannot accept. When it
writes a text as SQL, it uses the meaning that a backslash has in the session. An answer can report
another meaning: if a function sets the mode NO_BACKSLASH_ESCAPES for itself, the server reports the
mode as if it stayed.
"""

import socket
import struct
from typing import Any

import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants import COMMAND, CR, ER, SERVER_STATUS
from pymysql.converters import escape_string
from pymysql.cursors import Cursor
from pymysql.err import raise_mysql_exception

from demos.pool_demo.lending.values import CONVERSIONS

_OK = 0  # the first byte of an answer that holds no rows and no error
_SHORTEST = 11  # bytes of an answer, its header included
_LOW_WATER: int | None = getattr(socket, "SO_RCVLOWAT", None)  # not every system has it
_SMALL = 60_000  # bytes; every server takes a statement of that length
# What a statement relies on, besides its time limit, and how long it may be.
_SESSION = (
    "select @@character_set_client, @@character_set_results, @@collation_connection, @@autocommit, "
    "@@max_allowed_packet"
)
# Which roles a new session has. Every account may use all of its own; MariaDB has one at a time.
_ROLE_OF_MARIADB = "select current_role()"
_ROLES_OF_MYSQL = "select if(@@activate_all_roles_on_login, 'all', 'default')"
_FIRST_WITH_ROLES = 8  # of the versions of MySQL
# What a text in quotes is for the server: whether a backslash is a letter, and what its bytes mean.
_QUOTES = "select find_in_set('NO_BACKSLASH_ESCAPES', @@sql_mode) > 0, @@character_set_client"


def _packet(command: int, body: bytes = b"") -> bytes:
    return struct.pack("<iB", len(body) + 1, command) + body


_RESET = _packet(0x1F)  # COM_RESET_CONNECTION; PyMySQL has no name for it


class Result(MySQLResult):
    """An answer. PyMySQL drops the server's state after the last row; this class keeps it."""

    unbuffered_active = False  # PyMySQL looks for it also where Ctrl-C has struck early

    def _check_packet_is_eof(self, packet: Any) -> bool:  # noqa: ANN401 - PyMySQL has no types
        if not packet.is_eof_packet():
            return False
        self.warning_count, self.server_status = struct.unpack("<xHH", packet.get_all_data()[:5])
        self.has_next = bool(self.server_status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS)
        return True


_Untyped: Any = pymysql.Connection  # what we change of it has no types


class Connection(_Untyped):  # type: ignore[misc]
    """A connection that is lent to one caller after another."""

    settled = True  # whatever was asked has been answered to the end
    _first: list[bytes]  # what goes to the server in front of the next statement
    _is_lone = False  # nothing but a reset does
    _unread = 0  # answers that come in front of the next statement's
    _longest = 0  # the server's max_allowed_packet in bytes when it was connected, once known
    is_too_small = False  # a new connection may take longer statements
    _is_letter = False  # a backslash is a letter like any other
    _is_unsure = False  # of that, or of the character set, until the server is asked

    def __init__(self, setting: str, limit: str = "", **arguments: Any) -> None:  # noqa: ANN401
        """Prepare or connect.

        Args:
            setting: the SQL that makes a new session one of ours.
            limit: what goes in front of a statement to limit its time, where nothing was set.
            arguments: those of `pymysql.connect`.
        """
        self._setting, self._limit_of_one = setting, limit
        self._first = []
        super().__init__(conv=CONVERSIONS, **arguments)

    def connect(self, sock: Any = None) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect; raises pymysql.OperationalError."""
        self._first, self._unread, self._is_lone = [], 0, False
        self._longest, self.is_too_small = 0, False
        try:
            super().connect(sock)
            self._is_letter_when_new = self._says_letter()
            self._reset = [_RESET, *self._roles_when_new()]
            setting = self._setting_with_mode().encode()
            self._anew = [*self._reset, _packet(COMMAND.COM_QUERY, setting)]
            self._is_ours_after_reset = self._try_reset()
            self.settled = True
        except BaseException:
            self.settled = False  # if closing is interrupted, too, nobody will take it for alive
            self._force_close()
            raise

    def start_over(self) -> None:
        """Make the session new at the next statement.

        The server rolls back and drops variables, locks, temporary tables and prepared statements.
        It keeps the role, which a function or a trigger may have set, so the role is set, too. The
        database stays as it is.
        """
        self._first, self._is_lone = self._anew.copy(), False
        self._is_letter, self._is_unsure = self._is_letter_when_new, False

    def lone(self, sql: str) -> str:
        """Return the SQL for a statement that is the only one until the session starts over.

        Where a reset leaves all but role and time limit as it should be, only the role is set:
        the statement carries its limit, and the server has one thing less to do.
        """
        if not self._is_ours_after_reset:
            return sql
        self._first, self._is_lone = self._reset.copy(), True
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

    def distrust(self) -> None:
        """Ask the server before the next text in quotes: the last statement may change its meaning.

        A function, a trigger or a procedure cannot: what they set of it ends with them.
        """
        self._is_unsure = True

    def query(self, sql: str | bytes, unbuffered: bool = False) -> int:
        """Run a statement. One that is too long for the server is a DataError, and is not sent."""
        if isinstance(sql, str):
            sql = sql.encode(self.encoding)
        if self._is_lone and self._first and b"\\" in sql:
            self.start_over()  # which sets what a backslash means
        if len(sql) > _SMALL:
            self._longest = self._longest or int(self._ask("select @@max_allowed_packet")[0])
            if len(sql) + 2 >= self._longest:
                self.is_too_small = True
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
        self._longest = int(ours[-1])
        self._first = [_RESET]
        return self._ask(_SESSION) == ours

    def _roles_when_new(self) -> list[bytes]:
        """Return what gives a session the roles that it has now, as a new one."""
        if "MariaDB" in self.server_version:
            (role,) = self._ask(_ROLE_OF_MARIADB)
            roles = "none" if role is None else f"`{role.replace('`', '``')}`"
        elif int(self.server_version.partition(".")[0]) >= _FIRST_WITH_ROLES:
            (roles,) = self._ask(_ROLES_OF_MYSQL)
        else:
            return []
        return [_packet(COMMAND.COM_QUERY, f"set role {roles}".encode(self.encoding))]

    def _setting_with_mode(self) -> str:
        """Return the setting; the meaning of a backslash stays as it was when connecting."""
        mode = "replace(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '')"
        if self._is_letter_when_new:
            mode = "concat(@@sql_mode, ',NO_BACKSLASH_ESCAPES')"
        return f"{self._setting}, sql_mode = {mode}"

    def _is_as_utf8(self, charset: str) -> bool:
        return charset.startswith("utf8") and self.charset.startswith("utf8")

    def _says_letter(self) -> bool:
        return bool(self.server_status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES)

    def _ask(self, sql: str) -> tuple[Any, ...]:
        cursor = Cursor(self)
        cursor.execute(sql)
        return cursor.fetchone() or ()

    # -- what PyMySQL calls -----------------------------------------------------------------------

    def _escape_string(self, text: str) -> str:
        if self._is_unsure:
            is_letter, charset = self._ask(_QUOTES)
            self._is_letter = bool(is_letter)
            # In another one, the end of a letter and a backslash can be one letter.
            if charset != self.charset and not self._is_as_utf8(charset):
                raise pymysql.ProgrammingError(
                    0,
                    f"an earlier statement has set the character set {charset}, so the server "
                    f"would misread a text in {self.charset}; nothing was sent: set it back, or "
                    f"make a MysqlHelp whose settings have charset={charset!r}",
                )
            self._is_unsure = False
        text = str.__str__(text)  # a class made of `str`, such as Markup, may replace otherwise
        self._refuse_another(text)
        return text.replace("'", "''") if self._is_letter else str(escape_string(text))

    def _refuse_another(self, text: str) -> None:
        """Refuse what would be another text in our character set: in sjis, a yen is a backslash."""
        if self.charset.startswith("utf8"):
            return
        if text != text.encode(self.encoding, "replace").decode(self.encoding, "replace"):
            raise pymysql.ProgrammingError(
                0,
                f"a text has a letter that is not in the character set {self.charset}; nothing was "
                "sent: leave it out, or make a MysqlHelp whose settings have charset='utf8mb4'",
            )

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        self.settled = False
        super()._execute_command(command, sql)
        self._read_first()

    def _write_bytes(self, data: bytes) -> None:
        if self._first:
            first, self._unread = b"".join(self._first), len(self._first)
            self._first = []
            if len(data) > _SMALL:  # a copy of it takes longer than to send twice
                super()._write_bytes(first)
            else:
                data = first + data
        super()._write_bytes(data)

    def _read_first(self) -> None:
        if not self._unread:
            return
        try:
            self._wake_at(_SHORTEST * self._unread + 1)
            head = self._read_bytes(4)
            self._wake_at(1)
            while True:
                answer = self._read_bytes(int.from_bytes(head[:3], "little"))
                if answer[0] != _OK:
                    raise_mysql_exception(answer)
                self._unread -= 1
                if self._is_lone and not answer[3] & SERVER_STATUS.SERVER_STATUS_AUTOCOMMIT:
                    raise pymysql.OperationalError(
                        CR.CR_SERVER_LOST,
                        "the server's sessions do not commit by themselves any more: the statement "
                        "was undone; run it again",
                    )
                if not self._unread:
                    return
                head = self._read_bytes(4)
        except pymysql.MySQLError:  # what was sent behind it may have run all the same
            self._force_close()
            raise

    def _wake_at(self, count: int) -> None:
        """Let the kernel wake us when so many bytes are here.

        The server sends each answer by itself. To wake for each takes longer than to read it.
        """
        if _LOW_WATER is not None:
            self._sock.setsockopt(socket.SOL_SOCKET, _LOW_WATER, count)

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
            self._is_unsure |= self._says_letter() != self._is_letter
        self.settled = not (result.has_next or result.unbuffered_active)
        return int(result.affected_rows or 0)
