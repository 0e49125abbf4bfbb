"""What MysqlHelp promises to a process that forks, as a program: a test's own process has threads of others.

Each case is a function whose docstring names it; the program prints the names of those that held.
"""

import gc
import os
import signal
import threading

import pymysql

from demos.pool_demo import mysqlhelp
from demos.pool_demo.lending.lender import tls_arguments
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import connect_args, load
from tests.support.waiting import eventually

PATIENCE = 60  # seconds that a child may take
AGE = "update student set age = age + %s where id = %s"


def connection_id(db):
    return db.selectone("select connection_id() as id")["id"]


def in_child(work):
    """Fork; return what `work` returns in the child, as text. A child that hangs or fails is an error."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(PATIENCE)
            os.write(writer, str(work()).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    assert os.waitpid(child, 0)[1] == 0, "the child failed, or hung"
    return said


def makes_its_own():
    """a child makes its own connections and leaves the parent's"""
    db = MysqlHelp(connections=1)
    mine = connection_id(db)

    def ids():
        found = {connection_id(db), connection_id(MysqlHelp(connections=1))}
        # A program's end finalizes objects, which is what does the harm.
        mysqlhelp._registry._objects.clear()
        gc.collect()
        return " ".join(map(str, found))

    theirs = [int(word) for word in in_child(ids).split()]
    assert len(theirs) == 1 and mine not in theirs
    assert connection_id(db) == mine, "the child's end closed it"


def within_a_transaction():
    """a fork within a transaction ends it for the child only"""
    db = MysqlHelp(connections=1)

    def outcome():
        try:
            db.execute(AGE, (1, 3))
        except pymysql.InterfaceError:
            return "refused"
        return "done"

    with db.transaction():
        db.execute(AGE, (10, 1))
        assert in_child(outcome) == "refused"
        db.execute(AGE, (-10, 2))
    with pymysql.connect(**connect_args(), **tls_arguments(load(), None)) as other:
        cursor = other.cursor()
        cursor.execute("select age from student order by id")
        assert cursor.fetchall() == ((34,), (13,), (25,))


def in_mid_query():
    """a fork while another thread is in mid query"""
    db = MysqlHelp(connections=2)
    mine = connection_id(db)
    busy = threading.Thread(target=db.selectone, args=("select sleep(0.3)",), daemon=True)
    busy.start()
    assert eventually(lambda: db.lender.turnstile.counts() == (1, 0))
    assert int(in_child(lambda: connection_id(db))) != mine
    busy.join(PATIENCE)
    assert db.lender.turnstile.counts() == (0, 0)
    assert db.selectone("select 42 as n") == {"n": 42}


def after_close():
    """a fork after close does not use the parent's connection"""
    db = MysqlHelp(connections=1)
    with db.transaction():
        mine = connection_id(db)
        db.close()
    assert int(in_child(lambda: connection_id(MysqlHelp(connections=1)))) != mine


def with_every_lock_held():
    """a fork within a block while another thread holds every lock and all places"""
    db = MysqlHelp(connections=2, wait=PATIENCE / 2)
    block, held, free = db.transaction(), threading.Event(), threading.Event()

    def hold():
        locks = mysqlhelp._registry._lock, db.lender._pool._lock, db.lender.turnstile._mutex
        with db.lender.lend(), locks[0], locks[1], locks[2]:
            held.set()
            free.wait(PATIENCE)

    def outcome():
        try:
            block.__exit__(None, None, None)  # leaves its place
        except pymysql.InterfaceError:
            with block:  # which was made before the fork
                return connection_id(MysqlHelp(connections=2, wait=PATIENCE / 2))

    with block:
        mine = connection_id(db)
        other = threading.Thread(target=hold, daemon=True)
        other.start()
        assert held.wait(PATIENCE)
        assert int(in_child(outcome)) != mine
        free.set()
    other.join(PATIENCE)
    assert db.lender.turnstile.counts() == (0, 0)


CASES = [makes_its_own, within_a_transaction, in_mid_query, after_close, with_every_lock_held]

if __name__ == "__main__":
    for case in CASES:
        case()
        MysqlHelp.close_all()
        print(case.__doc__, flush=True)
