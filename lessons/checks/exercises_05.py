"""Lesson 05: MysqlHelp in use, and what is in the tables afterwards."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pymysql

from course.exercise import exercise, expect
from demos.pool_demo.bank import Bank
from demos.pool_demo.delay_proxy import DelayProxy
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import Settings, connect_args, load
from lessons.checks.scene import ask, scene

Student = tuple[str, int, str]  # name, age, gender
TOO_LONG = "x" * 65  # one letter more than a name may have


@contextmanager
def helper(settings: Settings | None = None) -> Iterator[MysqlHelp]:
    """Have a MysqlHelp of the check's own for a block."""
    with closing(MysqlHelp(settings or load(), connections=2)) as db:
        yield db


def names() -> list[str]:
    """Return the names in student, as others see them."""
    return [row["name"] for row in ask("select name from student order by id")]


@exercise(
    "5.1",
    hints=(
        "Lesson 05, section 10: what makes one transaction of a block, and what ends it without a "
        "commit? Section 8: what does `update` return when no row matched?",
        "In `with db.transaction():` raise `LookupError` as soon as one of the updates says False.",
    ),
    why="An exception inside the block undoes both updates, so no money is lost or made.",
    wrong={
        """
        taken = db.update(TAKE, (amount, payer))
        given = db.update(GIVE, (amount, payee))
        if not (taken and given):
            raise LookupError("no such account")
        """: "expected {'alice': 100, 'bob': 100}, the server shows {'alice': 70, 'bob': 100}",
        """
        with db.transaction():
            db.update(TAKE, (amount, payer))
            db.update(GIVE, (amount, payee))
        """: "no LookupError",
        """
        with db.transaction():
            db.update(TAKE, (amount, payer))
            if not db.update(GIVE, (amount, payee)):
                raise LookupError("no such account")
        """: "from nobody to bob",
        """
        db.update(GIVE, (amount, payer))
        db.update(TAKE, (amount, payee))
        """: "expected {'alice': 70, 'bob': 130}",
    },
)
def check_transfer(transfer: Callable[[MysqlHelp, str, str, int], object]) -> None:
    """Transfer between two accounts, then to and from one that is not there."""
    with Bank() as bank, scene(), helper() as db:
        bank.open(alice=100, bob=100)
        transfer(db, "alice", "bob", 30)
        found, wanted = bank.balances(), {"alice": 70, "bob": 130}
        expect(
            found == wanted, f"30 from alice to bob: expected {wanted}, the server shows {found}"
        )
        for payer, payee in (("alice", "nobody"), ("nobody", "bob")):
            bank.open(alice=100, bob=100)
            raised = False
            try:
                transfer(db, payer, payee, 30)
            except LookupError:
                raised = True
            found, wanted = bank.balances(), {"alice": 100, "bob": 100}
            story = f"30 from {payer} to {payee}"
            expect(raised, f"{story}: no LookupError reached the caller, the server shows {found}")
            expect(found == wanted, f"{story}: expected {wanted}, the server shows {found}")


@exercise(
    "5.2",
    hints=(
        "Lesson 05, section 7: which method takes a list of tuples?",
        "`insertmany` sends one statement if the SQL has `values (%s, %s, %s)`, as `ADD` has.",
    ),
    why="One statement in one transaction: three waits for the network, however many rows.",
    wrong={
        """
        for student in students:
            db.insert(ADD, student)
        """: "waited for the server 300 times",
        """
        with db.transaction():
            for student in students:
                db.insert(ADD, student)
        """: "waited for the server 302 times",
        """
        db.insertmany("insert into student set name = %s, age = %s, gender = %s", students)
        """: "waited for the server 302 times",
        """
        db.insertmany(ADD.replace("insert", "insert ignore"), students)
        """: "no error reached the caller",
        """
        db.insertmany(ADD, students[:100])
        """: "expected 303 rows",
    },
)
def check_enrol(enrol: Callable[[MysqlHelp, list[Student]], object]) -> None:
    """Enrol 300 students and count round trips; then some of whom one cannot be stored."""
    with scene("student"), DelayProxy() as proxy, helper(proxy.settings) as db:
        db.selectone("select 1")  # now its connection is open
        students = [(f"学生{number}", 18 + number % 50, "女") for number in range(300)]
        before = proxy.round_trips()
        enrol(db, students)
        waited = proxy.round_trips() - before
        stored = ask("select name, age, gender from student where id > 3 order by id")
        expect(
            [tuple(row.values()) for row in stored] == students,
            f"expected {3 + len(students)} rows in student, as they were given; the server shows "
            f"{3 + len(stored)}",
        )
        expect(
            waited <= 4,
            f"all are there, but your function waited for the server {waited} times, and 3 will do",
        )
    with scene("student"), helper() as db:
        raised = False
        try:
            enrol(db, [("小甜甜", 20, "女"), (TOO_LONG, 20, "女"), ("赵丽颖", 21, "女")])
        except pymysql.DataError:
            raised = True
        found = names()
        expect(raised, "one name was too long for the table, and no error reached the caller")
        expect(len(found) == 3, f"one of three failed: expected none of them, found {found[3:]}")


@exercise(
    "5.3",
    hints=(
        "Over plain PyMySQL `cursor.rowcount` counts the rows that changed. How do you find out "
        "that there is a row, whatever its name is?",
        "`select id ... where id = %s for update` first; then update, then commit.",
    ),
    why="True now means: there is such a student. An error says that it could not be done.",
    wrong={
        """
        with connection.cursor() as cursor:
            cursor.execute("update student set name = %s where id = %s", (name, number))
        connection.commit()
        return True
        """: "there is no student 99, and your function returned True",
        """
        with connection.cursor() as cursor:
            cursor.execute("update student set name = %s where id = %s", (name, number))
            changed = cursor.rowcount
        connection.commit()
        return changed > 0
        """: "has that name already, and your function returned False",
        """
        try:
            with connection.cursor() as cursor:
                cursor.execute("select id from student where id = %s", (number,))
                found = cursor.fetchone() is not None
                cursor.execute("update student set name = %s where id = %s", (name, number))
            connection.commit()
            return found
        except pymysql.Error:
            return False
        """: "no error reached the caller",
        """
        with connection.cursor() as cursor:
            cursor.execute("select id from student where id = %s", (number,))
            found = cursor.fetchone() is not None
            cursor.execute("update student set name = %s where id = %s", (name, number))
        return found
        """: "others see 韩雪",
    },
)
def check_rename(rename: Callable[[pymysql.Connection, int, str], bool]) -> None:
    """Rename a student, again to the same name, then one who is not there, then impossibly."""
    with scene("student"), pymysql.connect(**connect_args()) as connection:
        for number, old, new in ((1, "韩雪", "小甜甜"), (3, "唐嫣", "杨颖")):
            said = rename(connection, number, new)
            seen = ask("select name from student where id = %s", number)[0]["name"]
            expect(seen == new, f"student {number} is {new} now, and others see {seen}")
            expect(said is True, f"{old} became {new}, and your function returned {said}")
        said = rename(connection, 1, "小甜甜")
        expect(said is True, f"student 1 has that name already, and your function returned {said}")
        said = rename(connection, 99, "小甜甜")
        expect(said is False, f"there is no student 99, and your function returned {said}")
        try:
            said = rename(connection, 2, TOO_LONG)
            expect(
                False,
                f"the name was too long, your function returned {said}, and no error reached the "
                "caller",
            )
        except pymysql.DataError:
            pass
        connection.rollback()
        seen = names()
        wanted = ["小甜甜", "舒畅", "杨颖"]
        expect(seen == wanted, f"expected {wanted} in student, the server shows {seen}")


@exercise(
    "5.4",
    hints=(
        "Each name needs a `%s` of its own in the brackets. What is SQL with empty brackets?",
        '`places = ", ".join(["%s"] * len(names))` goes into the SQL, the names go beside it. '
        "Return `[]` before that if there are no names.",
    ),
    why="The SQL is made of places only; the data goes beside it, however many there are.",
    wrong={
        """
        listed = ", ".join(f"'{name}'" for name in names)
        return db.selectall(f"select * from student where name in ({listed}) order by id")
        """: 'or 1=1 -- "] expected [], your function found',
        """
        listed = ", ".join(f"'{name}'" for name in names)
        return db.selectall(
            "select * from student where name in (%s) order by id", (listed,)
        )
        """: "expected ['韩雪', '唐嫣'], your function found []",
        """
        places = ", ".join(["%s"] * len(names))
        sql = f"select * from student where name in ({places}) order by id"
        return db.selectall(sql, names)
        """: "1064",
    },
)
def check_in(find: Callable[[MysqlHelp, list[str]], list[dict[str, Any]]]) -> None:
    """Look for several names: for some, for a hostile one, for one with a quote, for none."""
    with scene("student"), helper() as db:
        db.insert("insert into student(name, age, gender) values(%s, 30, '男')", ("O'Brien",))
        for wanted, asked in (
            (["韩雪", "唐嫣"], ["唐嫣", "韩雪"]),
            (["舒畅"], ["舒畅", "nobody"]),
            ([], ["') or 1=1 -- "]),
            (["O'Brien"], ["O'Brien"]),
            ([], []),
        ):
            found = [row["name"] for row in find(db, asked)]
            expect(
                found == wanted,
                f"for the names {asked} expected {wanted}, your function found {found}",
            )


@exercise(
    "5.5",
    hints=(
        "Which error does the server's refusal raise, and which errors must not be caught?",
        "`with db.transaction():` around the loop; inside it `try: db.insert(...)` and "
        "`except pymysql.DataError:` for one student.",
    ),
    why="What you expect to fail fails alone; what you do not expect undoes everything.",
    wrong={
        """
        db.insertmany(ADD, list(students))
        return []
        """: "DataError",
        """
        refused = []
        for student in students:
            try:
                db.insert(ADD, student)
            except pymysql.DataError:
                refused.append(student[0])
        return refused
        """: "the list broke off after 小甜甜, and she stayed",
        """
        refused = []
        with db.transaction():
            try:
                for student in students:
                    db.insert(ADD, student)
            except pymysql.DataError:
                refused.append(student[0])
        return refused
        """: "expected ['小甜甜', '赵丽颖'] enrolled, the server shows ['小甜甜']",
        """
        refused = []
        with db.transaction():
            for student in students:
                if len(student[0]) > 64:
                    refused.append(student[0])
                else:
                    db.insert(ADD, student)
        return refused
        """: "DataError",
    },
)
def check_willing(enrol_willing: Callable[[MysqlHelp, Iterable[Student]], list[str]]) -> None:
    """Enrol two and refuse two others; then let the list break off in the middle."""
    with scene("student"), helper() as db:
        refused = enrol_willing(
            db,
            [
                ("小甜甜", 20, "女"),
                (TOO_LONG, 20, "女"),
                ("Methuselah", 969, "男"),
                ("赵丽颖", 21, "女"),
            ],
        )
        found, wanted = names()[3:], ["小甜甜", "赵丽颖"]
        expect(found == wanted, f"expected {wanted} enrolled, the server shows {found}")
        expect(
            refused == [TOO_LONG, "Methuselah"],
            f"expected the names of the two who were refused, your function returned {refused}",
        )
    with scene("student"), helper() as db:
        broke = False
        try:
            enrol_willing(db, _broken_list())
        except _BrokeOff:
            broke = True
        found = names()[3:]
        expect(broke, "the list of students broke off with an error, and your caller was not told")
        expect(not found, "the list broke off after 小甜甜, and she stayed: expected all or none")


class _BrokeOff(Exception):
    """The list of students cannot be read to its end."""


def _broken_list() -> Iterator[Student]:
    yield ("小甜甜", 20, "女")
    raise _BrokeOff("the list of students broke off")
