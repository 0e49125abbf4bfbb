"""A7: one transaction for a block, which the server itself protects.

A plain `begin` is not safe. If a procedure or a `create table` commits inside the block, half of
the block is committed. And after an error that undid everything, the next statements run alone.
`xa start` begins a transaction with a name. Until it is ended by this name, the server refuses
every statement that would commit, before it has any effect. After an undo it refuses the rest.
"""

import secrets
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any

import pymysql
from pymysql.constants import CR

from demos.pool_demo.lending.answers import Answer, ask, read_slowly, run_many, run_on
from demos.pool_demo.lending.lender import Lender, Raw, hang_up, time_limit
from demos.pool_demo.lending.statements import can_be_undone, first_word

_ORDER = "blocks end in the reverse order of their beginning, and so must the generators with them"
_REFUSED = 1399  # XAER_RMFAIL: not within a named transaction


class Transaction:
    """The transaction of a block. Statements of the block run by its methods."""

    raw: Raw
    _has_ended = False  # here, because Ctrl-C may strike before `__init__`

    def __init__(self, lender: Lender) -> None:
        """Prepare; nothing is borrowed yet."""
        self._loan = lender.lend()
        self._limit = lender.query_limit
        self._mark = secrets.token_hex(8)  # nobody else's name, neither here nor for a savepoint
        self._name = f"'{self._mark}'"
        self._is_certain = True  # that the server is still in it
        self._can_be_undone = True
        self._savepoints = 0
        self._parts = 0  # inner blocks that have not ended

    def __del__(self) -> None:
        """Hang up if nobody has ended it: the server rolls back, and its locks are free at once."""
        if not self._has_ended and hasattr(self, "raw"):
            hang_up(self.raw)

    def begin(self) -> None:
        """Borrow a connection and begin the transaction. Raises the errors of `Lender.lend`."""
        self.raw = self._loan.__enter__()
        try:
            run_on(self.raw, f"xa start {self._name}")
        except BaseException:
            self._has_ended = True
            self._loan.__exit__()
            raise

    def is_over(self) -> bool:
        """Say whether it has ended, and all inner blocks have."""
        return self._has_ended and not self._parts

    def end(self, commit: bool) -> None:
        """Commit or roll back, and always give the connection back.

        Raises RuntimeError if an inner block is still open: then all was rolled back.
        """
        is_early = commit and self._parts > 0
        try:
            if commit and not is_early:
                self._check()
                self._end("commit {} one phase")
            elif self.raw.open:
                self._end("rollback {}")
        except pymysql.MySQLError:
            hang_up(self.raw)  # and the server rolls back
            if commit:
                raise
        finally:
            self._has_ended = True
            if not self._can_be_undone:
                hang_up(self.raw)
            self._loan.__exit__()
        if is_early:
            raise RuntimeError(f"a block inside this one is still open, so all is undone: {_ORDER}")

    def run(self, sql: str, param: Any = None) -> Answer:  # noqa: ANN401 - what `checked` let by
        """Run a statement as a part of the transaction.

        Raises ProgrammingError for one that would end it, and InterfaceError if the server has
        undone all because of an earlier error.
        """
        with self._watched(sql):
            return run_on(self.raw, sql, param)

    def run_many(self, sql: str, params: list[Any]) -> None:
        """Run a statement once for each of `params`."""
        with self._watched(sql):
            run_many(self.raw, sql, params)

    @contextmanager
    def stream(self, sql: str, param: Any, kind: type[Any]) -> Iterator[Any]:  # noqa: ANN401
        """Run a statement and give its cursor, which is read to the end when the block ends."""
        try:
            with self._watched(sql):
                self._limit_time(0)
                cursor = ask(self.raw, sql, param, kind)
            self._is_certain = False  # the server's word on it comes behind the last row
            with read_slowly(self.raw, cursor, to_the_end=True):
                yield cursor
        finally:
            self._limit_time(self._limit)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Make a block a part of the transaction that can fail alone.

        Raises RuntimeError at its end if the transaction has ended before.
        """
        self._savepoints += 1
        name = f"part_{self._mark}_{self._savepoints}"
        self.run(f"savepoint {name}")
        self._parts += 1
        try:
            yield
            if self._has_ended:
                raise RuntimeError(f"the block around this one has ended before: {_ORDER}")
        except BaseException:
            if self.raw.open and not self._has_ended:
                try:
                    self.run(f"rollback to {name}")
                except pymysql.MySQLError:
                    hang_up(self.raw)
            raise
        finally:
            self._parts -= 1

    @contextmanager
    def _watched(self, sql: str) -> Iterator[None]:
        """Let a statement run only inside the transaction, and look whether it still is one."""
        self._check()
        is_plain = can_be_undone(sql)
        self._can_be_undone &= is_plain
        try:
            yield
        except pymysql.MySQLError as error:
            self._is_certain = False
            if error.args[0] == _REFUSED:
                raise pymysql.ProgrammingError(
                    _REFUSED,
                    f"{first_word(sql) or 'this'} would end the transaction of the block, so "
                    "it was not run: move it out of the block",
                ) from error
            raise
        finally:
            if not is_plain:
                self.raw.distrust()
        self._look()

    def _check(self) -> None:
        """Before a statement: after an error, ask the server whether it is still in it."""
        if self._has_ended:
            raise RuntimeError(f"the block around this one has ended before: {_ORDER}")
        if not self.raw.open:
            raise pymysql.InterfaceError(
                CR.CR_SERVER_LOST, "the transaction ended with its connection"
            )
        if not self._is_certain:
            run_on(self.raw, "do 0")
            self._look()
            self._is_certain = True

    def _look(self) -> None:
        if self.raw.open and self.raw._result is not None and self.raw._result.unbuffered_active:
            return
        if not self.raw.in_transaction():
            hang_up(self.raw)
            raise pymysql.InterfaceError(
                0, "the server has undone the transaction because of an error: begin a new one"
            )

    def _limit_time(self, seconds: float | None) -> None:
        """Limit the time of what runs from now on; 0 for a stream, whose rows keep coming."""
        if self._limit is not None and self.raw.open and not self._has_ended:
            self.raw.ahead(f"set {time_limit(seconds or 0)}")

    def _end(self, how: str) -> None:
        self.raw.ahead(f"xa end {self._name}")
        run_on(self.raw, f"xa {how.format(self._name)}")


class _Entered(threading.local):
    """What a thread, or greenlet, has begun by entering a block, and not ended yet."""

    transaction: Transaction | None = None

    def __init__(self) -> None:
        self.parts: list[AbstractContextManager[None]] = []


class Block:
    """The `with` of a transaction. Inside another block it is a part of that transaction.

    Which of the two it is, is decided when the block begins, for its thread or greenlet. Several of
    them may enter the same block, and each has a transaction of its own.
    """

    def __init__(self, owner: Any, mine: Any, lender: Lender) -> None:  # noqa: ANN401
        """Keep what the block is given (`owner`), and where it is noted."""
        self._owner, self._mine, self._lender = owner, mine, lender
        self._entered = _Entered()

    def __enter__(self) -> Any:  # noqa: ANN401
        """Begin."""
        outer = self._mine.transaction()
        if outer is not None:
            part = outer.savepoint()
            part.__enter__()
            self._entered.parts.append(part)
            return self._owner
        transaction = self._entered.transaction = Transaction(self._lender)
        transaction.begin()
        # Weak, so that a block that Ctrl-C has kept from ending is not there any more.
        self._mine.block = weakref.ref(transaction)
        return self._owner

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or roll back after any exception."""
        if self._entered.parts:
            try:
                self._entered.parts.pop().__exit__(kind, error, trace)
            finally:
                self._forget(self._mine.transaction())
            return
        transaction, self._entered.transaction = self._entered.transaction, None
        if transaction is None:
            raise RuntimeError(
                "this thread, or greenlet, has not begun the block: end it where it began"
            )
        try:
            transaction.end(commit=kind is None)
        finally:
            self._forget(transaction)

    def _forget(self, transaction: Transaction | None) -> None:
        """Note that this thread is in the transaction no more, if no inner block is open."""
        if transaction is not None and transaction.is_over():
            self._mine.block = None
