"""Lesson 02: what raw PyMySQL stores, finds and leaves behind."""

from collections.abc import Callable
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from course.exercise import exercise, expect
from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args
from lessons.authors.checks.scene import Interrupted, ask, bytes_sent, scene

MANY = 300  # students; each row has more than ten bytes
Connect = Callable[[], pymysql.Connection]


@exercise(
    "2.2",
    hints=(
        (
            "Lesson 02, section 3: who sees a row that was inserted and not committed? What "
            "becomes of it at `close()`?"
        ),
        (
            "A transaction has to end with a commit. When must that happen: before the insert, "
            "or after it?"
        ),
        "Call `connection.commit()` after the insert, and before `connection.close()`.",
    ),
    why="What is not committed is lost at `close()`, and no error tells you.",
    wrong={
        """
        connection = pymysql.connect(**connect_args())
        connection.commit()
        insert_student(connection, name, age)
        connection.close()
        """: "others see 0 rows",
        """
        connection = pymysql.connect(**connect_args())
        insert_student(connection, name, age)
        connection.commit()
        KEPT = connection
        enrol.kept = connection
        """: "still has 1 connection open",
        """
        for _ in range(2):
            with pymysql.connect(**connect_args(autocommit=True)) as connection:
                insert_student(connection, name, age)
        """: "others see 2 rows",
        """
        connection = pymysql.connect(**connect_args())
        insert_student(connection, "赵丽颖", 21)
        connection.commit()
        connection.close()
        """: "{'name': \"O'Brien\", 'age': 34}",
        """
        connection = pymysql.connect(**connect_args(autocommit=True))
        with connection.cursor() as cursor:
            cursor.execute(f"insert into stu(name, age) values('{name}', {age})")
        connection.close()
        """: "ProgrammingError",
        """
        connection = pymysql.connect(**connect_args())
        insert_student(connection, name, 21)
        connection.commit()
        connection.close()
        """: "expected {'name': \"O'Brien\", 'age': 34}",
    },
    also_right=(
        """
        with pymysql.connect(**connect_args(autocommit=True)) as connection:
            insert_student(connection, name, age)
        """,
        """
        connection = pymysql.connect(**connect_args())
        try:
            with connection.cursor() as cursor:
                cursor.execute("insert into stu(name, age) values(%s, %s)", (name, age))
            connection.commit()
        finally:
            connection.close()
        """,
    ),
)
def check_commit(enrol: Callable[[str, int], object]) -> None:
    """Enrol students; then look from another connection, and at the process list."""
    for name, age in (("赵丽颖", 21), ("O'Brien", 34)):
        with scene("stu") as witness:
            enrol(name, age)
            rows = ask("select name, age from stu")
            expect(len(rows) == 1, f"after one call others see {len(rows)} rows in stu, expected 1")
            row = {"name": name, "age": age}
            expect(rows == [row], f"expected {row} in stu, the server shows {rows[0]}")
            left = witness.settle(0, seconds=2)
            expect(left == 0, f"the row is there, but the server still has {left} connection open")


@exercise(
    "2.3",
    hints=(
        (
            "Lesson 02, section 5: SQL and data are two things. Here they are made into one "
            "text. How do you keep them apart?"
        ),
        (
            "`cursor.execute` takes two arguments: the SQL with a place for the name, and the "
            "name. The driver puts the quotes."
        ),
        (
            '`cursor.execute("select ... where name = %s", (name,))`, with a comma, and without '
            "quotes around `%s`."
        ),
    ),
    why="A name is only data now: nothing in it can change the SQL.",
    wrong={
        """
        safe = name.replace("'", "''")
        with connection.cursor() as cursor:
            cursor.execute("select id from student where name = '%s'" % safe)
            return [number for (number,) in cursor.fetchall()]
        """: "expected none",
        """
        safe = "".join(letter for letter in name if letter not in "'\\\\")
        with connection.cursor() as cursor:
            cursor.execute("select id from student where name = '%s'" % safe)
            return [number for (number,) in cursor.fetchall()]
        """: "O'Brien",
        """
        with connection.cursor() as cursor:
            cursor.execute("select id from student where name = '%s'", (name,))
            return [number for (number,) in cursor.fetchall()]
        """: "ProgrammingError",
        """
        with connection.cursor() as cursor:
            cursor.execute("select id from student where name like %s", (name,))
            return [number for (number,) in cursor.fetchall()]
        """: "nobody has the name '韩%'",
        """
        with connection.cursor() as cursor:
            cursor.execute("select id from student where name = %s limit 1", (name,))
            return [number for (number,) in cursor.fetchall()]
        """: "for the name 韩雪",
        "return []": "expected [1, 6] for the name 韩雪",
        """
        with connection.cursor() as cursor:
            cursor.execute("select id from student where name = %s", (name,))
            return tuple(number for (number,) in cursor.fetchall())
        """: "expected a list",
    },
    also_right=(
        """
        cursor = connection.cursor()
        cursor.execute("select id, name from student")
        return [number for number, theirs in cursor if theirs == name]
        """,
        """
        with connection.cursor() as cursor:
            cursor.execute("select id from student where name = %(name)s", {"name": name})
            return [row[0] for row in cursor]
        """,
    ),
)
def check_injection(find_ids: Callable[[pymysql.Connection, str], list[int]]) -> None:
    """Look for honest names with quotes in them, and for names that are attacks."""
    with scene("student"), pymysql.connect(**connect_args(autocommit=True)) as connection:
        for name in ("O'Brien", "back\\slash", "韩雪"):
            with connection.cursor() as cursor:
                cursor.execute(
                    "insert into student(name, age, gender) values(%s, 30, '男')", (name,)
                )
        for name in ("' or '1'='1", "\\' or 1=1 -- ", "x' union select 99 -- ", "韩%"):
            found = find_ids(connection, name)
            expect(
                isinstance(found, list),
                f"expected a list, your function returned a {type(found).__name__}",
            )
            expect(
                found == [],
                f"nobody has the name {name!r}, your function found {found}, expected none",
            )
        rows = ask("select id, name from student order by id")
        for name in {row["name"]: None for row in rows}:
            ids = [row["id"] for row in rows if row["name"] == name]
            found = sorted(find_ids(connection, name))
            expect(found == ids, f"expected {ids} for the name {name}, your function found {found}")


@exercise(
    "2.1",
    hints=(
        "Lesson 02, section 2: which kind of cursor returns a dict?",
        "SQL can put the oldest first, and return only the first row.",
        (
            "`connection.cursor(DictCursor)`, and `order by age desc limit 1` in the SQL; then "
            "`fetchone()`."
        ),
    ),
    why='`row["age"]` is still the age when the table gets another column.',
    wrong={
        """
        with connection.cursor() as cursor:
            cursor.execute("select * from student order by age desc limit 1")
            return cursor.fetchone()
        """: "a tuple",
        """
        with connection.cursor(DictCursor) as cursor:
            cursor.execute("select * from student")
            return cursor.fetchone()
        """: "the oldest is",
        """
        return {"id": 3, "name": "唐嫣", "age": 25, "gender": "女"}
        """: "the oldest is",
        """
        with connection.cursor(DictCursor) as cursor:
            cursor.execute("select * from student order by id desc limit 1")
            return cursor.fetchone()
        """: "the oldest is",
        """
        with connection.cursor(DictCursor) as cursor:
            cursor.execute("select * from student")
            return max(cursor.fetchall(), key=lambda row: row["age"])
        """: "more than one row has come",
        """
        with connection.cursor(DictCursor) as cursor:
            cursor.execute("select name, age from student order by age desc limit 1")
            return cursor.fetchone()
        """: "the oldest is",
        """
        with connection.cursor(DictCursor) as cursor:
            cursor.execute("select * from student order by age limit 1")
            return cursor.fetchone()
        """: "the oldest is",
    },
    also_right=(
        """
        cursor = connection.cursor()
        cursor.execute(
            "select id, name, age, gender from student"
            " where age = (select max(age) from student) limit 1"
        )
        return dict(zip(("id", "name", "age", "gender"), cursor.fetchone()))
        """,
    ),
)
def check_dict_cursor(oldest: Callable[[pymysql.Connection], dict[str, Any]]) -> None:
    """Ask for the oldest student, before and after others come; count what the server sends."""
    insert = "insert into student(name, age, gender) values(%s, %s, '女')"
    with scene("student"), pymysql.connect(**connect_args(autocommit=True)) as connection:
        for newcomers in (
            [],
            [("赵丽颖", 31), ("杨颖", 19)],
            [("小甜甜", 47), *((f"学生{number}", 18 + number % 9) for number in range(MANY))],
        ):
            with connection.cursor() as cursor:
                cursor.executemany(insert, newcomers)
            before = bytes_sent(connection)
            found = oldest(connection)
            sent = bytes_sent(connection) - before
            kind = type(found).__name__
            expect(isinstance(found, dict), f"expected a dict, your function returned a {kind}")
            row = ask("select * from student order by age desc limit 1")[0]
            expect(found == row, f"the oldest is {row}, your function returned {found}")
            expect(
                sent < 10 * MANY,
                f"the server has sent {sent} bytes, so more than one row has come: let it find the "
                "oldest",
            )


@exercise(
    "2.4",
    hints=(
        (
            "Lesson 02, section 6: how many bytes has an emoji? For how many does MySQL's "
            "`utf8` have room?"
        ),
        (
            "The charset of the connection is too small. Which charset has room for all "
            "characters, and what does `connect_args()` say without a word from you?"
        ),
        (
            "`pymysql.connect(**connect_args())`: it names `utf8mb4`, and the line as handed "
            'out replaces it by "utf8".'
        ),
    ),
    why="utf8mb4 can store every character of Unicode. MySQL's utf8 has no room for four bytes.",
    wrong={
        'return pymysql.connect(**connect_args(charset="gbk"))': "😀",
        'return pymysql.connect(**connect_args(charset="utf8mb3"))': "1366",
        """
        connection = pymysql.connect(**connect_args())
        with connection.cursor() as cursor:
            cursor.execute("set names utf8mb3")
        return connection
        """: "1366",
        """
        connection = pymysql.connect(**connect_args(charset="latin1"))
        return connection
        """: "韩雪",
        'return pymysql.connect(**connect_args(charset="utf8", sql_mode=""))': (
            "expected 小甜甜😀 in stu, the server shows 小甜甜"
        ),
    },
    also_right=(
        """
        connection = pymysql.connect(**connect_args(charset="utf8"))
        connection.set_character_set("utf8mb4")
        return connection
        """,
        """
        return pymysql.connect(**connect_args(charset="utf8mb4", autocommit=True))
        """,
    ),
)
def check_charset(connect: Connect) -> None:
    """Insert names with an emoji over the student's connection, and read them over another one."""
    with scene("stu"), connect() as connection:
        for name in ("韩雪", "小甜甜😀", "🐼"):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("insert into stu(name, age) values(%s, 20)", (name,))
            except (pymysql.Error, UnicodeError) as error:
                code = error.args[0] if isinstance(error, pymysql.Error) else type(error).__name__
                expect(False, f"expected {name} in stu, inserting it gave error {code}")
            connection.commit()
            arrived = ask("select name from stu order by id desc limit 1")[0]["name"]
            expect(arrived == name, f"expected {name} in stu, the server shows {arrived}")


class _Counted:
    """A `connect` that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> pymysql.Connection:
        self.calls += 1
        return pymysql.connect(**connect_args(cursorclass=DictCursor))


@exercise(
    "2.5",
    hints=(
        (
            "What makes one transaction of several inserts? And what must happen to the "
            "connection if one of them fails?"
        ),
        (
            "Connect before the loop, and commit once, after it. A connection that is closed "
            "without a commit undoes all. Which statement closes in any case?"
        ),
        (
            "`with connect() as connection:` around the loop, and `connection.commit()` behind "
            "the loop, still inside the block. Catch nothing."
        ),
    ),
    why="One connection is enough for all names, and either all of them are stored or none.",
    wrong={
        """
        for name in names:
            with connect() as connection:
                insert_student(connection, name, 20)
                connection.commit()
        """: "3 connections",
        """
        with connect() as connection:
            for name in names:
                insert_student(connection, name, 20)
                connection.commit()
        """: "kept ['韩雪']",
        """
        connection = connect()
        for name in names:
            insert_student(connection, name, 20)
        connection.commit()
        connection.close()
        """: "still has 1 connection",
        """
        with connect() as connection:
            try:
                for name in names:
                    insert_student(connection, name, 20)
                connection.commit()
            except pymysql.Error:
                pass
        """: "no error",
        """
        with connect() as connection:
            for name in names:
                insert_student(connection, name, 21)
            connection.commit()
        """: "'age': 21",
        """
        connection = connect()
        try:
            for name in names:
                insert_student(connection, name, 20)
            connection.commit()
        except pymysql.DataError:
            connection.rollback()
            connection.close()
            raise
        """: "the second name was missing, and the server still has 1 connection",
        """
        connection = connect()
        try:
            for name in names:
                insert_student(connection, name, 20)
            connection.commit()
        except Exception:
            connection.close()
            raise
        connection.close()
        """: "Ctrl-C was pressed at the last name, and the server still has 1 connection",
        """
        with connect() as connection:
            connection.autocommit(True)
            try:
                for name in names:
                    insert_student(connection, name, 20)
            except pymysql.Error:
                with connection.cursor() as cursor:
                    cursor.execute("delete from stu where name in %s", (names,))
                raise
        """: "was there before",
        """
        with connect() as connection:
            if all(len(name) <= 64 for name in names):
                for name in names:
                    insert_student(connection, name, 20)
                connection.commit()
        """: "object of type 'NoneType' has no len()",
        """
        with connect() as connection:
            for name in names[:2]:
                insert_student(connection, name, 20)
            connection.commit()
        """: "in stu, the server shows",
    },
    also_right=(
        """
        connection = connect()
        try:
            connection.begin()
            for name in names:
                insert_student(connection, name, 20)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.close()
        """,
    ),
)
def check_one_connection(add_all: Callable[[Connect, list[str]], object]) -> None:
    """Add names; then some of which the second or the last fails; count connections and rows."""
    with scene("stu") as witness:
        connect = _Counted()
        names = ["韩雪", "舒畅", "唐嫣"]
        add_all(connect, names)
        stored = ask("select name, age from stu order by id")
        wanted = [{"name": name, "age": 20} for name in names]
        expect(stored == wanted, f"expected {wanted} in stu, the server shows {stored}")
        expect(
            connect.calls == 1, f"{connect.calls} connections for {len(names)} names, expected 1"
        )
        _expect_none_left(witness)

    nameless: Any = None
    for names, fails in (
        (["韩雪", nameless, "唐嫣"], "the second name was missing"),
        (["韩雪", "唐嫣", "x" * 65], "the last name was too long for stu"),
        (["韩雪", Interrupted("唐嫣")], "Ctrl-C was pressed at the last name"),
    ):
        with scene("stu") as witness:
            ask("insert into stu(name, age) values('韩雪', 24)")
            connect = _Counted()
            errors: list[BaseException] = []  # errors are kept, as a program with a log would
            try:
                add_all(connect, names)
            except (pymysql.DataError, pymysql.IntegrityError, KeyboardInterrupt) as error:
                errors.append(error)
            expect(errors, f"{fails}, and no error reached the caller")
            _expect_none_left(witness, fails)
            expect(connect.calls == 1, f"{connect.calls} connections for one call, expected 1")
            stored = [row["name"] for row in ask("select name from stu where age = 20 order by id")]
            expect(not stored, f"a name failed, and stu kept {stored}: expected all names or none")
            there = ask("select 1 from stu where age = 24")
            expect(there, "a name failed, and a row that was there before is gone from stu")


def _expect_none_left(witness: Witness, fails: str = "") -> None:
    left = witness.settle(0, seconds=2)
    if fails:
        expect(left == 0, f"{fails}, and the server still has {left} connection open")
    expect(left == 0, f"the server still has {left} connection open")
