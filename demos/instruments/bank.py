"""A5: a table of accounts for the steps about failures, read back from the server.

with Bank() as bank:
    bank.open(alice=100, bob=100)
    bank.total()  # 200, read back from the server

The table `account(name, balance)` exists only inside the block.
"""

from typing import Self

import pymysql

from demos.pool_demo.settings import connect_args

TAKE = "update account set balance = balance - %s where name = %s"
GIVE = "update account set balance = balance + %s where name = %s"
LOCK_WAIT = 10  # seconds to wait for another connection's lock


class Bank:
    """The auditor: it has its own connection, which the step does not disturb."""

    def __enter__(self) -> Self:
        """Connect and make the table. Raises pymysql.OperationalError."""
        self._connection = pymysql.connect(**connect_args(autocommit=True))
        try:
            self._do("set session lock_wait_timeout = %s", LOCK_WAIT)
            self._do("drop table if exists account")  # of a step that was killed
            self._do(
                "create table account (name varchar(32) primary key, balance int not null)"
                " engine = InnoDB"
            )
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        """Drop the table and close the connection."""
        with self._connection:
            self._do("drop table account")

    def open(self, **balances: int) -> None:
        """Start again with these accounts."""
        self._do("delete from account")
        for name, balance in balances.items():
            self._do("insert into account(name, balance) values(%s, %s)", name, balance)

    def balances(self) -> dict[str, int]:
        """Return the committed balances, by name."""
        return {name: balance for name, balance in self._do("select * from account order by name")}

    def total(self) -> int:
        """Return the sum of all balances: no transfer should change it."""
        return sum(self.balances().values())

    def _do(self, sql: str, *param: object) -> list[tuple[str, int]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, param or None)
            return [(str(name), int(balance)) for name, balance in cursor.fetchall()]
