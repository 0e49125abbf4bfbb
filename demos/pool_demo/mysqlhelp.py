"""A7: `MysqlHelp` reads and writes with one call each, over one pool.

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
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NotRequired, Self, TypedDict

import pymysql
from pymysql.constants import CR, ER
from pymysql.cursors import SSDictCursor

if not __package__:  # `from mysqlhelp import MysqlHelp` in a script in this folder
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from demos.pool_demo.lending.answers import Answer, ask, read_slowly, run_on
from demos.pool_demo.lending.answers import Row as Row
from demos.pool_demo.lending.lender import Lender, hang_up, time_limit
from demos.pool_demo.lending.registry import Registry
from demos.pool_demo.lending.statements import can_be_undone, first_word, is_query, is_read
from demos.pool_demo.lending.transaction import Block, Transaction
from demos.pool_demo.settings import Settings, Tls, load

Key = tuple[Settings, int, float, float | None, Tls]  # a configuration
Param = Sequence[Any] | Mapping[str, Any] | None  # for the %s, or the %(name)s, of the SQL

CHUNK = 1000  # rows that `insertmany` puts into one statement
_WRITES = 1792  # the server's word for what writes in a transaction that only reads
_KILLED = 1927  # MariaDB's word to a connection that was killed
_LOST = {CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, ER.SERVER_SHUTDOWN, _KILLED, 4031}


class Statement(TypedDict):
    """One statement of several."""

    sql: str
    param: NotRequired[Param]


class _Mine(threading.local):
    """The transaction that this thread, or greenlet, is in."""

    block: weakref.ref[Transaction] | None = None

    def transaction(self) -> Transaction | None:
        """Return the transaction of the block that this thread is in, if any."""
        return self.block() if self.block is not None else None


_registry = Registry()


class MysqlHelp:
    """One object, and one pool, for each process and configuration.

    An error of the server is raised unchanged (pymysql.Error, with the server's code). A caller
    that waits too long for a connection gets PoolTimeout. A connection is always given back.
    """

    _key: Key
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
            connections: the maximum, borrowed and idle together.
            wait: seconds that a caller waits in the queue before PoolTimeout.
            query_limit: seconds that a statement may take; None for no limit. A stream may take
                longer: there it limits the wait for the next row.
            tls: see `settings.tls_arguments`.
        """
        key = (settings or load(), connections, wait, query_limit, tls)
        return _registry.get(key, partial(cls._make, key))

    @classmethod
    def _make(cls, key: Key) -> Self:
        one = super().__new__(cls)
        one._key, one.lender, one._mine = key, Lender(*key), _Mine()
        return one

    @classmethod
    def getInstance(cls) -> Self:
        """Return the object of the usual configuration."""
        return cls()

    def close(self) -> None:
        """Close the connections and end this object; then `MysqlHelp()` makes a new one."""
        _registry.remove(self._key, self)
        self.lender.close()

    @classmethod
    def close_all(cls) -> None:
        """Close every object of this process."""
        for one in _registry.objects():
            one.close()

    # -- reading -----------------------------------------------------------------------------------

    def selectall(self, sql: str, param: Param = None) -> list[Row]:
        """Return all rows, as dicts. Of a procedure with several results: the rows of the first."""
        return self._run(sql, param).rows

    def selectone(self, sql: str, param: Param = None) -> Row | None:
        """Return the first row, as a dict, or None if there is none.

        The server sends all rows: write `limit 1` if there can be many.
        """
        return next(iter(self._run(sql, param).rows), None)

    @contextmanager
    def stream(self, sql: str, param: Param = None) -> Iterator[Iterator[Row]]:
        """Give the rows one by one as they arrive, for results larger than memory.

        In a transaction, end the block before the next statement; the end reads all other rows.
        Without one, the end reads no more rows of a query, so a query that writes, such as one with
        a function that does, is refused there. Of all other statements it reads all that is left.
        """
        param = checked(sql, param)
        transaction = self._mine.transaction()
        if transaction is not None:
            with transaction.stream(sql, param, SSDictCursor) as cursor:
                yield iter(cursor)
            return
        may_be_left = is_query(sql) and can_be_undone(sql)
        with self.lender.lend() as raw:
            raw.ahead(f"set {time_limit(0)}")
            if may_be_left:  # and what it has written would be undone
                raw.ahead("start transaction read only")
            try:
                cursor = ask(raw, sql, param, SSDictCursor)
                with read_slowly(raw, cursor, to_the_end=not may_be_left):
                    yield iter(cursor)
            except pymysql.MySQLError as error:
                if error.args[0] != _WRITES:
                    raise
                raise pymysql.ProgrammingError(
                    _WRITES,
                    "a stream outside a block only reads, and the server says that this query "
                    "writes, locks rows or makes a table, so it was undone: put the stream into "
                    "`with db.transaction():`",
                ) from error
            finally:
                hang_up(raw)  # quicker than to read rows that are not used

    # -- writing -----------------------------------------------------------------------------------

    def insert(self, sql: str, param: Param = None) -> int | bool:
        """Return the new row's AUTO_INCREMENT key, or True in a table without one.

        False means that nothing was inserted (`insert ignore` of a row that exists). With
        `returning`, the key is the first column that it returns, if that is a whole number.
        """
        checked(sql, param)
        word = first_word(sql)
        if word not in ("insert", "replace"):
            raise ValueError(
                f"insert() runs no {word or 'statement that begins so'}: use execute() or "
                "selectall(); nothing was run"
            )
        answer = self._run(sql, param)
        returned = [next(iter(row.values())) for row in answer.rows[:1]]
        if returned and isinstance(returned[0], int):
            return int(returned[0]) or True
        return answer.key or answer.count > 0

    def insertmany(self, sql: str, param: Iterable[Param]) -> bool:
        """Insert one row for each tuple in `param`, all or none. Returns True."""
        if isinstance(param, str | bytes | Mapping):
            raise TypeError("param is one row, not a list of rows: [(1, 'a'), (2, 'b')]")
        rows = checked_rows(sql, param)
        with self.transaction():
            while chunk := list(islice(rows, CHUNK)):
                self._mine.transaction().run_many(sql, chunk)  # type: ignore[union-attr]
        return True

    def update(self, sql: str, param: Param = None) -> bool:
        """Return whether a row matched, even if it already had the new values (E10)."""
        return self.execute(sql, param) > 0

    def delete(self, sql: str, param: Param = None) -> bool:
        """Return whether a row was deleted."""
        return self.execute(sql, param) > 0

    def execute(self, sql: str, param: Param = None) -> int:
        """Run one statement; return the number of rows it returned, matched or changed."""
        return self._run(sql, param).count

    def execute_all(self, statements: Sequence[Statement]) -> list[int]:
        """Run statements in one transaction, all or none (E11); return each one's row count."""
        with self.transaction():
            return [self.execute(one["sql"], one.get("param")) for one in statements]

    def transaction(self) -> AbstractContextManager[Self]:
        """Make one transaction of a block: commit at its end, or roll back after any exception.

        Calls inside the block, in the same thread, use its connection. No statement of the block is
        repeated, and none that would commit is run. A block inside a block can fail alone.
        """
        return Block(self, self._mine, self.lender)

    # -- how ---------------------------------------------------------------------------------------

    def _run(self, sql: str, param: Param) -> Answer:
        """Run a statement in the transaction of this thread, or else alone."""
        param = checked(sql, param)
        transaction = self._mine.transaction()
        if transaction is not None:
            return transaction.run(sql, param)
        try:
            return self._alone(sql, param)
        except pymysql.OperationalError as error:
            if not (is_lost(error) and is_read(sql)):
                raise
            return self._again(sql, param, error)

    def _alone(self, sql: str, param: Param) -> Answer:
        """Run a statement by itself. Where something may stay, its connection closes behind it."""
        stays = not can_be_undone(sql)
        with self.lender.lend() as raw:
            try:
                return run_on(raw, sql if stays else raw.lone(sql), param)
            finally:
                if stays:
                    hang_up(raw)

    def _again(self, sql: str, param: Param, first: pymysql.OperationalError) -> Answer:
        """Repeat what was lost, if the server finds that it only reads; raises `first` if not."""
        with self.lender.lend() as raw:
            run_on(raw, "start transaction read only")
            try:
                answer = run_on(raw, sql, param)
                run_on(raw, "commit")
            except BaseException as error:
                hang_up(raw)
                if isinstance(error, pymysql.MySQLError) and error.args[0] == _WRITES:
                    raise first from None
                raise
            if not can_be_undone(sql):
                hang_up(raw)
            return answer


def _begin_anew() -> None:
    """In a forked child: the parent's connections are the parent's; begin with none.

    A block of a transaction that the child is in has lost its connection, and says so.
    """
    for one in _registry.after_fork():
        one.lender.forget()
        one.lender = Lender(*one._key)


os.register_at_fork(after_in_child=_begin_anew)


def is_lost(error: pymysql.OperationalError) -> bool:
    """Say whether the connection was lost, and not because the query took too long."""
    return error.args[0] in _LOST and not isinstance(error.__context__, TimeoutError)


def checked(sql: str, param: Any) -> Any:  # noqa: ANN401 - this is what finds out
    """Refuse what is no SQL, no list of parameters, or one that does not fit the SQL.

    ('7') is a string, ('7',) a tuple (E12).
    """
    if not isinstance(sql, str):
        raise TypeError(f"sql is of type {type(sql).__name__}, and a text is needed: 'select 1'")
    if param is None or isinstance(param, tuple | list | dict):
        return fitting(sql, param) if param else None  # with an empty one, a % would want one
    kind = type(param).__name__
    if isinstance(param, Iterator):
        raise TypeError(f"param is a {kind}, not a tuple: tuple(...) makes one of it")
    raise TypeError(f"param is a bare {kind}, not a tuple: one parameter is (value,) with a comma")


def checked_rows(sql: str, rows: Iterable[Any]) -> Iterator[Any]:
    """Check each row; a tuple as long as the one before fits if that one did."""
    length = -1
    for row in rows:
        if isinstance(row, tuple) and len(row) == length:
            yield row
            continue
        param = checked(sql, row)
        length = len(param) if isinstance(param, tuple) else -1
        yield param


class _Names(dict[str, str]):
    """Names for the %(name)s of a SQL; for a %s, Python would write out the whole dict."""

    def __repr__(self) -> str:
        raise TypeError("a dict, and a %s without a name")


def fitting(sql: str, param: Any) -> Any:  # noqa: ANN401 - a tuple, a list or a dict
    """Return the parameters if each has its place in the SQL. Raises pymysql.ProgrammingError."""
    try:
        sql % (_Names.fromkeys(param, "") if isinstance(param, dict) else ("",) * len(param))
    except (TypeError, ValueError, KeyError) as error:
        places = "a dict takes %(name)s" if isinstance(param, dict) else "each value takes one %s"
        raise pymysql.ProgrammingError(
            0,
            f"the parameters do not fit the SQL ({error}); nothing was sent: {places}, and a "
            "percent sign beside parameters is written %%",
        ) from None
    return param
