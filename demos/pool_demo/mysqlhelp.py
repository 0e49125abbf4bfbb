"""A7: `MysqlHelp`, reading and writing by one call each, over one pool.

db = MysqlHelp()
db.insert("insert into student(name, age, gender) values(%s, %s, %s)", ("小甜甜", 20, "女"))
db.selectall("select * from student where age > %s", (20,))
with db.transaction():
    db.update("update student set age = age - 1 where id = %s", (1,))
    db.update("update student set age = age + 1 where id = %s", (2,))
"""

import os
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NotRequired, Self, TypedDict

import pymysql
from pymysql.constants import CR, ER, SERVER_STATUS
from pymysql.cursors import DictCursor, SSDictCursor

if not __package__:  # `from mysqlhelp import MysqlHelp` in a script in this folder
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from demos.pool_demo.lender import Lender, Raw, Tls, hang_up, limit_command
from demos.pool_demo.settings import Settings, load
from demos.pool_demo.statements import first_word, is_repeatable, leaves_nothing

Row = dict[str, Any]
Param = Sequence[Any] | Mapping[str, Any] | None  # for the %s, or the %(name)s, of the SQL

CHUNK = 1000  # rows that `insertmany` puts into one statement
_KILLED = 1927  # MariaDB's word to a connection that was killed
_LOST = {CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, ER.SERVER_SHUTDOWN, _KILLED, 4031}


class Statement(TypedDict):
    """One statement of several."""

    sql: str
    param: NotRequired[Param]


class _Mine(threading.local):
    """What this thread, or greenlet, is in the middle of."""

    raw: Raw | None = None  # the connection of its transaction
    leaves_something: bool = False
    savepoints: int = 0


class MysqlHelp:
    """One object, and one pool, for each process and configuration.

    Errors of the server are raised as they are (pymysql.Error, with the server's code). A caller
    who waits too long for a connection gets PoolTimeout. Connections go back whatever happens.
    """

    _made: ClassVar[dict[Any, Any]] = {}
    _all: ClassVar[weakref.WeakSet[Any]] = weakref.WeakSet()  # closed ones too
    _lock: ClassVar[threading.Lock] = threading.Lock()
    _key: tuple[Settings, int, float, float | None, Tls]
    _mine: _Mine
    lender: Lender

    def __new__(
        cls,
        settings: Settings | None = None,
        *,
        connections: int = 10,
        wait: float = 10.0,
        query_limit: float | None = 30.0,
        tls: Tls = None,
    ) -> Self:
        """Return the object of this configuration; the first call makes it (E9).

        Args:
            settings: where the server is; default: what `settings.load()` says.
            connections: at most so many, borrowed and idle together.
            wait: seconds that a caller waits in line before PoolTimeout.
            query_limit: seconds that a statement may take; None for no limit. A stream may take
                longer: there it limits the wait for the next row.
            tls: see `lender.tls_arguments`.
        """
        key = (settings or load(), connections, wait, query_limit, tls)
        with cls._lock:
            if key not in cls._made:
                one = super().__new__(cls)
                one._key = key
                one.lender = Lender(*key)
                one._mine = _Mine()
                cls._made[key] = one
                cls._all.add(one)
            found: Self = cls._made[key]
            return found

    @classmethod
    def getInstance(cls) -> Self:
        """Return the object of the usual configuration."""
        return cls()

    def close(self) -> None:
        """Close the connections; this object is of no more use, and `MysqlHelp()` is a new one."""
        with self._lock:
            self._made.pop(self._key, None)
        self.lender.close()

    @classmethod
    def close_all(cls) -> None:
        """Close every object of this process."""
        for one in list(cls._made.values()):
            one.close()

    @classmethod
    def _after_fork(cls) -> None:
        """In a child: the parent's connections are the parent's; begin with none.

        A block of a transaction that the child is in has lost its connection, and says so.
        """
        cls._lock = threading.Lock()
        for one in cls._all:
            one.lender.forget()
            one.lender = Lender(*one._key)

    # -- reading -----------------------------------------------------------------------------------

    def selectall(self, sql: str, param: Param = None) -> list[Row]:
        """Return all rows, as dicts."""
        return list(self._run(sql, param).fetchall())

    def selectone(self, sql: str, param: Param = None) -> Row | None:
        """Return the first row, as a dict, or None if there is none.

        All rows travel: write `limit 1` where there may be many.
        """
        row: Row | None = self._run(sql, param).fetchone()
        return row

    @contextmanager
    def stream(self, sql: str, param: Param = None) -> Iterator[Iterator[Row]]:
        """Give the rows one by one as they arrive, for results larger than memory.

        In a transaction the block must end before the next statement, and ending it reads the rest.
        """
        mine = self._mine
        if mine.raw is not None:
            mine.leaves_something |= not leaves_nothing(sql)
            with run_on(mine.raw, sql, checked(param), SSDictCursor) as cursor:
                yield iter(cursor)
            return
        with self.lender.lend(fresh=True) as raw:
            run_on(raw, limit_command(0))
            cursor = run_on(raw, sql, checked(param), SSDictCursor)
            try:
                yield iter(cursor)
            finally:
                hang_up(raw)  # rather than read what nobody wants
                cursor.close()

    # -- writing -----------------------------------------------------------------------------------

    def insert(self, sql: str, param: Param = None) -> int | bool:
        """Return the new row's AUTO_INCREMENT key, or True in a table without one.

        False means that nothing was inserted (`insert ignore` of a row that exists).
        """
        cursor = self._run(sql, param)
        return int(cursor.lastrowid) or cursor.rowcount > 0

    def insertmany(self, sql: str, param: Iterable[Param]) -> bool:
        """Insert one row for each tuple in `param`, all or none. Returns True."""
        if isinstance(param, str | bytes | Mapping):
            raise TypeError("param is one row, not a list of rows: [(1, 'a'), (2, 'b')]")
        rows = iter(param)
        with self.transaction():
            self._mine.leaves_something |= not leaves_nothing(sql)
            while chunk := [checked(row) for row in islice(rows, CHUNK)]:
                run_on(self._mine.raw, sql, chunk, many=True)
        return True

    def update(self, sql: str, param: Param = None) -> bool:
        """Return whether a row matched, also one that had the new values already (E10)."""
        return self.execute(sql, param) > 0

    def delete(self, sql: str, param: Param = None) -> bool:
        """Return whether a row was deleted."""
        return self.execute(sql, param) > 0

    def execute(self, sql: str, param: Param = None) -> int:
        """Run one statement; return the number of rows it returned, matched or changed."""
        return int(self._run(sql, param).rowcount)

    def execute_all(self, statements: Sequence[Statement]) -> list[int]:
        """Run statements in one transaction, all or none (E11); return each one's row count."""
        with self.transaction():
            return [self.execute(one["sql"], one.get("param")) for one in statements]

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """Make one transaction of a block: committed at its end, or rolled back on any exception.

        Calls within the block, in the same thread, use its connection. Nothing in it is ever
        repeated. A block within a block can fail alone: it is a savepoint. For a new row's key take
        what `insert` returns: at first, LAST_INSERT_ID() is that of whoever was here before.
        """
        mine = self._mine
        if mine.raw is not None:
            with self._savepoint(mine.raw):
                yield self
            return
        with self.lender.lend() as raw:
            mine.raw, mine.leaves_something, mine.savepoints = raw, False, 0
            try:
                run_on(raw, "begin")
                yield self
                run_on(raw, "commit")
            except BaseException:
                undo(raw, "rollback")
                raise
            finally:
                mine.raw = None
                if mine.leaves_something:
                    hang_up(raw)

    # -- how ---------------------------------------------------------------------------------------

    @contextmanager
    def _savepoint(self, raw: Raw) -> Iterator[None]:
        self._mine.savepoints += 1
        name = f"nested_{self._mine.savepoints}"
        run_on(raw, f"savepoint {name}")
        try:
            yield
        except BaseException:
            undo(raw, f"rollback to {name}")
            raise

    def _run(self, sql: str, param: Param) -> DictCursor:
        """Run a statement in the transaction of this thread, or else alone."""
        param, mine = checked(param), self._mine
        if mine.raw is not None:
            mine.leaves_something |= not leaves_nothing(sql)
            return in_transaction(mine.raw, sql, param)
        # What might leave something behind gets a connection that nobody had or will have.
        fresh = not leaves_nothing(sql)
        try:
            with self.lender.lend(fresh) as raw:
                return run_on(raw, sql, param)
        except pymysql.OperationalError as error:
            if not (is_lost(error) and is_repeatable(sql)):
                raise
        with self.lender.lend(fresh) as raw:
            return run_on(raw, sql, param)


os.register_at_fork(after_in_child=MysqlHelp._after_fork)


def run_on(
    raw: Raw,
    sql: str,
    param: Any = None,  # noqa: ANN401 - what `checked` let through
    kind: type[Any] = DictCursor,
    many: bool = False,
) -> DictCursor:
    """Run a statement on a connection; return the cursor.

    After an answer of the server, an error too, the connection is good. After anything else,
    such as Ctrl-C in mid-answer, nobody could tell the rest of it from the next one.
    """
    if not raw.open:
        raise pymysql.InterfaceError(CR.CR_SERVER_LOST, "the transaction ended with its connection")
    if raw._result is not None and raw._result.unbuffered_active:
        raise pymysql.ProgrammingError(
            0, "a stream is open in this transaction: end its block first"
        )
    cursor: DictCursor = raw.cursor(kind)
    try:
        (cursor.executemany if many else cursor.execute)(sql, param)
    except pymysql.MySQLError as error:
        if error.args[0] == ER.LOCK_DEADLOCK:
            hang_up(raw)  # the server has undone the transaction; what follows must not run alone
        raise
    except BaseException:
        hang_up(raw)
        raise
    return cursor


def in_transaction(raw: Raw, sql: str, param: Any) -> DictCursor:  # noqa: ANN401
    """Run a statement of a transaction, and see that the server is still in it afterwards."""
    cursor = run_on(raw, sql, param)
    if not raw.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
        hang_up(raw)
        raise pymysql.InterfaceError(
            0, f"{first_word(sql)} has committed the transaction: it has no place inside the block"
        )
    return cursor


def undo(raw: Raw, sql: str) -> None:
    """Roll back on a connection that can still be spoken to; hang up on one that cannot."""
    if raw.open:
        try:
            run_on(raw, sql)
        except pymysql.MySQLError:
            hang_up(raw)


def is_lost(error: pymysql.OperationalError) -> bool:
    """Say whether the connection was lost, and not because the query took too long."""
    return error.args[0] in _LOST and not isinstance(error.__context__, TimeoutError)


def checked(param: Any) -> Any:  # noqa: ANN401 - this is what finds out
    """Refuse what is not a list of parameters: ('7') is a string, ('7',) is a tuple (E12)."""
    if param is None or isinstance(param, tuple | list | dict):
        return param or None  # with an empty one, a % in the SQL would want a parameter
    kind = type(param).__name__
    raise TypeError(f"param is a bare {kind}, not a tuple: one parameter is (value,) with a comma")
