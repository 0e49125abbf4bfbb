"""Lesson 05: MysqlHelp in use, and what is in the tables afterwards."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import pymysql

from course.exercise import exercise, expect
from demos.instruments.bank import Bank
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import connect_args, load
from lessons.authors.checks.running import delay_proxy
from lessons.authors.checks.scene import ask, helper, scene

Student = tuple[str, int, str]  # name, age, gender
FULL = 2**31 - 1  # what an account can hold
TOO_LONG = "x" * 65  # one letter more than a name may have


def names() -> list[str]:
    """Return the names in student, as others see them."""
    return [row["name"] for row in ask("select name from student order by id")]


@exercise(
    "5.4",
    hints=(
        (
            "Lesson 05, section 10: what makes one transaction of a block, and what ends it "
            "without a commit? Section 8: what does `update` return when no row matched?"
        ),
        (
            "Both updates belong into one `with db.transaction():`. An exception that leaves "
            "the block undoes both. So raise one inside the block."
        ),
        (
            "In `with db.transaction():` write `if not db.update(TAKE, (amount, payer)): raise "
            "LookupError(payer)`, and the same for `GIVE` and `payee`."
        ),
    ),
    why="Either both updates happen or none, so no money is lost or made.",
    wrong={
        """
        taken = db.update(TAKE, (amount, payer))
        given = db.update(GIVE, (amount, payee))
        if not (taken and given):
            raise LookupError("no such account")
        """: "in the middle of it others see {'alice': 70, 'bob': 100}",
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
        """: "in the middle of it others see {'alice': 130, 'bob': 100}",
        """
        for sql, name in ((TAKE, payer), (GIVE, payee)):
            if not db.selectone("select name from account where name = %s", (name,)):
                raise LookupError(name)
        db.update(TAKE, (amount, payer))
        db.update(GIVE, (amount, payee))
        """: "in the middle of it others see",
        """
        with db.transaction():
            if not db.update(TAKE, (30, payer)) or not db.update(GIVE, (30, payee)):
                raise LookupError("no such account")
        """: "5 from bob to alice",
        """
        if not db.update(TAKE, (amount, payer)):
            raise LookupError(payer)
        if not db.update(GIVE, (amount, payee)):
            db.update(GIVE, (amount, payer))
            raise LookupError(payee)
        """: "in the middle of it others see",
        """
        try:
            with db.transaction():
                for sql, name in ((TAKE, payer), (GIVE, payee)):
                    if not db.update(sql, (amount, name)):
                        raise LookupError(name)
        except pymysql.Error:
            pass
        """: "no error reached the caller",
        """
        with db.transaction():
            for sql, name in ((TAKE, payer), (GIVE, payee)):
                if not db.update(sql, (amount, name)):
                    raise ValueError(name)
        """: "ValueError",
        """
        with db.transaction():
            try:
                if not db.update(TAKE, (amount, payer)) or not db.update(GIVE, (amount, payee)):
                    raise LookupError("no such account")
            except LookupError:
                return False
        """: "no LookupError",
        """
        there = db.selectall("select name from account where name in (%s, %s)", (payer, payee))
        if len(there) < 2:
            raise LookupError("no such account")
        db.execute(GIVE, (amount, payee))
        db.execute(TAKE, (amount, payer))
        """: "in the middle of it others see {'alice': 100, 'bob': 130}",
    },
    also_right=(
        """
        with db.transaction():
            taken = db.update(TAKE, (amount, payer))
            given = db.update(GIVE, (amount, payee))
            if not (taken and given):
                raise LookupError(f"{payer} or {payee} has no account")
        """,
        """
        there = db.selectall("select name from account where name in (%s, %s)", (payer, payee))
        if len(there) < 2:
            raise KeyError("no such account")
        with db.transaction():
            db.execute(TAKE, (amount, payer))
            db.execute(GIVE, (amount, payee))
        """,
    ),
)
def check_transfer(transfer: Callable[[MysqlHelp, str, str, int], object]) -> None:
    """Transfer between two accounts, to and from one that is not there, and to one that is full."""
    with Bank() as bank, scene(), closing(_Watched(bank)) as db:
        for payer, payee, amount, wanted in (
            ("alice", "bob", 30, {"alice": 70, "bob": 130}),
            ("bob", "alice", 5, {"alice": 105, "bob": 95}),
        ):
            bank.open(alice=100, bob=100)
            transfer(db, payer, payee, amount)
            found, story = bank.balances(), f"a transfer of {amount} from {payer} to {payee}"
            expect(found == wanted, f"{story}: expected {wanted}, the server shows {found}")
        for payer, payee in (("alice", "nobody"), ("nobody", "bob")):
            bank.open(alice=100, bob=100)
            raised = False
            try:
                transfer(db, payer, payee, 30)
            except LookupError:
                raised = True
            found, wanted = bank.balances(), {"alice": 100, "bob": 100}
            story = f"a transfer of 30 from {payer} to {payee}"
            expect(raised, f"{story}: no LookupError reached the caller, the server shows {found}")
            expect(found == wanted, f"{story}: expected {wanted}, the server shows {found}")
        bank.open(alice=100, bob=FULL)
        raised = False
        try:
            transfer(db, "alice", "bob", 30)
        except pymysql.DataError:
            raised = True
        found, story = bank.balances(), "a transfer of 30 from alice to bob, whose account is full"
        expect(raised, f"{story}: no error reached the caller, the server shows {found}")
        wanted = {"alice": 100, "bob": FULL}
        expect(found == wanted, f"{story}: expected {wanted}, the server shows {found}")


class _Watched(MysqlHelp):
    """A MysqlHelp whose statements are followed by a look at what others see."""

    def __new__(cls, bank: Bank) -> "_Watched":
        """Make it; `bank` is the auditor."""
        db = super().__new__(cls, load(), connections=3)  # an object of its own
        db.bank = bank
        return db

    bank: Bank

    def execute(self, sql: str, param: Any = None) -> int:  # noqa: ANN401
        """Run a statement, as `update` does, too, and look."""
        before = self.bank.total()
        changed = super().execute(sql, param)
        after = self.bank.balances()
        expect(
            sum(after.values()) == before,
            f"a transfer changes no sum, and in the middle of it others see {after}",
        )
        return changed


@exercise(
    "5.2",
    hints=(
        "Lesson 05, section 7: which method takes a list of tuples?",
        (
            "`insertmany` sends one statement if the SQL has `values (%s, %s, %s)`, as `ADD` "
            "has. And it is one transaction."
        ),
        "`db.insertmany(ADD, students)` is all: begin, one insert, commit.",
    ),
    why="However many students there are, three waits for the server are enough.",
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
        """
        db.insertmany(ADD, students[:300])
        """: "expected 453 rows",
        """
        try:
            db.insertmany(ADD, students)
        except pymysql.Error:
            pass
        """: "no error reached the caller",
        """
        for start in range(0, len(students), 100):
            db.insertmany(ADD, students[start : start + 100])
        """: "waited for the server 9 times",
        """
        db.insertmany(ADD, [(name, 20, gender) for name, age, gender in students])
        """: "as they were given",
        """
        half = len(students) // 2
        for some in (students[:half], students[half:]):
            places = ", ".join(["(%s, %s, %s)"] * len(some))
            values = [value for student in some for value in student]
            db.execute(f"insert into student(name, age, gender) values {places}", values)
        """: "one of three failed: expected none of them, found ['小甜甜']",
    },
    also_right=(
        """
        places = ", ".join(["(%s, %s, %s)"] * len(students))
        values = [value for student in students for value in student]
        db.execute(f"insert into student(name, age, gender) values {places}", values)
        """,
    ),
)
def check_enrol(enrol: Callable[[MysqlHelp, list[Student]], object]) -> None:
    """Enrol 300 students, then 450, and count round trips; then some of whom one is refused."""
    for count in (300, 450):
        students = [(f"学生{number}", 18 + number % 50, "女") for number in range(count)]
        with scene("student"), delay_proxy() as proxy, helper(proxy.settings) as db:
            db.selectone("select 1")  # now its connection is open
            before = proxy.round_trips()
            enrol(db, list(students))
            waited = proxy.round_trips() - before
            stored = ask("select name, age, gender from student where id > 3 order by id")
        expect(
            [tuple(row.values()) for row in stored] == students,
            f"expected {3 + len(students)} rows in student, as they were given; the server shows "
            f"{3 + len(stored)}",
        )
        expect(
            waited <= 3,
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
        (
            "`cursor.rowcount` of plain PyMySQL counts the rows that changed. How do you find "
            "out that there is a row, if its name stays the same?"
        ),
        (
            "Ask for the row first, with `for update`, so that nobody deletes it meanwhile. "
            "Then update, then commit. Catch nothing."
        ),
        (
            '`cursor.execute("select id from student where id = %s for update", (number,))`, '
            "and `found = cursor.fetchone() is not None`."
        ),
    ),
    why="`True` now means that there is such a student. A failure reaches the caller.",
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
        """
        with connection.cursor() as cursor:
            cursor.execute("select id from student where id = %s", (number,))
            found = cursor.fetchone()
            cursor.execute("update student set name = %s where id = %s", (name, number))
        connection.commit()
        return found
        """: "your function returned (1,)",
        """
        with connection.cursor() as cursor:
            cursor.execute("select id from student where id = %s", (number,))
            found = cursor.fetchone() is not None
        connection.commit()
        return found
        """: "others see 韩雪",
        """
        with connection.cursor() as cursor:
            cursor.execute("update student set name = %s", (name,))
        connection.commit()
        return number < 4
        """: "['小甜甜', '舒畅', '杨颖']",
    },
    also_right=(
        """
        cursor = connection.cursor()
        cursor.execute("update student set name = %s where id = %s", (name, number))
        if not cursor.rowcount:
            cursor.execute("select count(*) from student where id = %s", (number,))
            (there,) = cursor.fetchone()
        else:
            there = 1
        connection.commit()
        return bool(there)
        """,
    ),
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
    "5.1",
    hints=(
        (
            "Each name needs a `%s` of its own in the brackets of `in (…)`. What is SQL with "
            "empty brackets?"
        ),
        (
            "Build the places, as many as there are names, and put them into the SQL. The names "
            "go beside it. If there are no names, ask nobody."
        ),
        (
            '`places = ", ".join(["%s"] * len(names))`, then `f"select * from student where '
            'name in ({places}) order by id"`. Before that: `if not names: return []`.'
        ),
    ),
    why="The names are data and never part of the SQL, so any name is safe.",
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
        """: "your function found []",
        """
        places = ", ".join(["%s"] * len(names))
        sql = f"select * from student where name in ({places}) order by id"
        return db.selectall(sql, names)
        """: "1064",
        """
        if not names:
            return []
        places = ", ".join(["%s"] * len(names))
        return db.selectall(f"select name from student where name in ({places}) order by id", names)
        """: "expected the whole rows",
        """
        rows = []
        for name in names:
            rows += db.selectall("select * from student where name = %s order by id", (name,))
        return rows
        """: "your function found ['唐嫣', '韩雪', '韩雪']",
        """
        rows = []
        for name in names:
            row = db.selectone("select * from student where name = %s", (name,))
            rows += [row] if row else []
        return sorted(rows, key=lambda row: row["id"])
        """: "expected ['韩雪', '唐嫣', '韩雪'], your function found ['唐嫣', '韩雪']",
        """
        sql = "select * from student where find_in_set(name, %s) order by id"
        return db.selectall(sql, (",".join(names),))
        """: "Ann, Bob",
        """
        rows = []
        for name in names:
            rows += db.selectall("select * from student where name = %s", (name,))
        return sorted(rows, key=lambda row: row["id"])
        """: "for the names ['舒畅', '舒畅'] expected ['舒畅']",
        """
        if not names:
            return []
        places = ", ".join(["%s"] * len(names))
        sql = f"select * from student where name in ({places}) order by id desc"
        return db.selectall(sql, names)
        """: "expected them by id",
        """
        if not names:
            return []
        places = ", ".join(["%s"] * len(names))
        return db.selectall(f"select * from student where name in ({places})", names)
        """: "expected them by id",
        """
        sql = "select * from student where name in (%s, %s) order by id"
        return db.selectall(sql, (names * 2)[:2]) if names else []
        """: "your function found ['Ann, Bob', '100% %s']",
    },
    also_right=(
        """
        found = {}
        for name in names:
            for row in db.selectall("select * from student where name = %s", (name,)):
                found[row["id"]] = row
        return [found[number] for number in sorted(found)]
        """,
        """
        if not names:
            return []
        condition = " or ".join("name = %s" for _ in names)
        return db.selectall(f"select * from student where {condition} order by id", tuple(names))
        """,
    ),
)
def check_in(find: Callable[[MysqlHelp, list[str]], list[dict[str, Any]]]) -> None:
    """Look for several names: for some, for hostile ones, for one that two have, for none."""
    with scene("student"), helper() as db:
        add = "insert into student(name, age, gender) values(%s, 30, '男')"
        for name in ("O'Brien", "Ann, Bob", "100% %s", "韩雪"):
            db.insert(add, (name,))
        _turn_round()
        for wanted, asked in (
            (["韩雪", "唐嫣", "韩雪"], ["唐嫣", "韩雪"]),
            (["舒畅"], ["舒畅", "nobody"]),
            (["舒畅"], ["舒畅", "舒畅"]),
            ([], ["') or 1=1 -- "]),
            (["O'Brien", "Ann, Bob", "100% %s"], ["100% %s", "Ann, Bob", "O'Brien"]),
            ([], []),
            (["韩雪", "韩雪"], [*(f"学生{number}" for number in range(299)), "韩雪"]),
        ):
            rows = find(db, list(asked))
            found = [row["name"] for row in rows]
            names = asked if len(asked) < 9 else f"{asked[0]} to {asked[-1]}"
            story = f"for the names {names} expected {wanted}, your function found {found}"
            if len(asked) > 9:
                story = f"for {len(asked)} names, {story}"
            expect(found == wanted, story)
            listed = [name for name in asked if name in wanted]
            whole = [
                row for row in ask("select * from student order by id") if row["name"] in listed
            ]
            ids = [row.get("id") for row in rows]
            expect(
                None not in ids and list(rows[0]) == list(whole[0]) if rows else True,
                f"{story}: expected the whole rows, such as {whole[:1]}, you return {rows[:1]}",
            )
            expect(list(rows) == whole, f"{story} with the ids {ids}, expected them by id")


def _turn_round() -> None:
    """Have the rows of student the other way round, in a table without a key.

    With the key, the server finds them in the order of their ids, also if nobody asks for an order.
    """
    rows = ask("select id, name, age, gender from student order by id desc")
    ask("delete from student")
    ask("alter table student modify id int not null, drop primary key")
    for row in rows:
        ask("insert into student(id, name, age, gender) values(%s, %s, %s, %s)", *row.values())


@exercise(
    "5.5",
    hints=(
        (
            "What ends a transaction for all, and what only for one statement? Which error may "
            "be caught, and where?"
        ),
        (
            "One transaction around the loop. Inside the loop, a `try` around one insert. Catch "
            "only the error that the task names: every other one has to leave the block."
        ),
        (
            "`with db.transaction():` around the loop; inside it `try: db.insert(ADD, student)` "
            "and `except pymysql.DataError: refused.append(student[0])`."
        ),
    ),
    why="One student who is refused does not stop the others. Any other error undoes everything.",
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
        """: "before all were done",
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
        """
        refused = []
        with db.transaction():
            for student in students:
                try:
                    db.insert(ADD, student)
                except pymysql.Error:
                    refused.append(student[0])
        return refused
        """: "the server refused one for another reason",
        """
        refused = []
        with db.transaction():
            for student in students:
                try:
                    db.insert(ADD, student)
                except pymysql.DataError:
                    refused.append(student)
        return refused
        """: "expected the names",
        """
        refused = []
        with db.transaction():
            for student in students:
                try:
                    db.insert(ADD, student)
                except pymysql.DataError:
                    pass
        return refused
        """: "expected the names",
        """
        refused, done = [], []
        try:
            for student in students:
                try:
                    done.append(db.insert(ADD, student))
                except pymysql.DataError:
                    refused.append(student[0])
        except BaseException:
            for number in done:
                db.delete("delete from student where id = %s", (number,))
            raise
        return refused
        """: "before all were done",
        """
        refused = []
        try:
            with db.transaction():
                for student in students:
                    try:
                        db.insert(ADD, student)
                    except pymysql.DataError:
                        refused.append(student[0])
        except Exception:
            pass
        return refused
        """: "your caller was not told",
        """
        refused = []
        with db.transaction():
            for student in students:
                try:
                    db.insert(ADD, student)
                except pymysql.DataError:
                    refused.append(student[0])
        return sorted(refused)
        """: "expected the names",
        """
        refused, broke = [], None
        with db.transaction():
            try:
                for student in students:
                    try:
                        db.insert(ADD, student)
                    except pymysql.DataError:
                        refused.append(student[0])
            except Exception as error:
                broke = error
        if broke:
            raise broke
        return refused
        """: "the list broke off after 小甜甜, and she stayed",
    },
    also_right=(
        """
        refused = []

        def is_taken(student):
            try:
                db.execute(ADD, student)
            except pymysql.DataError:
                return False
            return True

        with db.transaction():
            refused += [student[0] for student in students if not is_taken(student)]
        return refused
        """,
    ),
)
def check_willing(enrol_willing: Callable[[MysqlHelp, Iterable[Student]], list[str]]) -> None:
    """Enrol two and refuse two others; then let the list break off, and the server refuse more."""
    with scene("student"), helper() as db:
        seen: list[str] = []
        refused = enrol_willing(
            db,
            _looking(
                seen,
                ("小甜甜", 20, "女"),
                (TOO_LONG, 20, "女"),
                ("Methuselah", 969, "男"),
                ("赵丽颖", 21, "女"),
            ),
        )
        found, wanted = names()[3:], ["小甜甜", "赵丽颖"]
        expect(found == wanted, f"expected {wanted} enrolled, the server shows {found}")
        expect(
            refused == [TOO_LONG, "Methuselah"],
            f"expected the names of the two who were refused, your function returned {refused}",
        )
        expect(not seen, f"others saw {seen} before all were done: expected one transaction")
    with scene("student"), helper() as db:
        broke = False
        try:
            enrol_willing(db, _broken_list())
        except _BrokeOff:
            broke = True
        found = names()[3:]
        expect(broke, "the list of students broke off with an error, and your caller was not told")
        expect(not found, "the list broke off after 小甜甜, and she stayed: expected all or none")
        nameless: Any = (None, 20, "女")
        story = "the server refused one for another reason, who has no name at all"
        refused_too = False
        try:
            enrol_willing(db, [("小甜甜", 20, "女"), nameless])
        except pymysql.IntegrityError:
            refused_too = True
        found = names()[3:]
        expect(refused_too, f"{story}, and no error reached your caller")
        expect(not found, f"{story}, and {found} stayed: expected all or none")


def _looking(seen: list[str], *students: Student) -> Iterator[Student]:
    """Yield the students; note who is there for others before the last one."""
    for student in students:
        seen += [name for name in names()[3:] if name not in seen]
        yield student


class _BrokeOff(Exception):
    """The list of students cannot be read to its end."""


def _broken_list() -> Iterator[Student]:
    yield ("小甜甜", 20, "女")
    raise _BrokeOff("the list of students broke off")
