"""Lesson 02: what raw PyMySQL stores, finds and leaves behind."""

from collections.abc import Callable
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from course.exercise import exercise, expect
from demos.pool_demo.settings import connect_args
from lessons.checks.scene import ask, scene

Connect = Callable[[], pymysql.Connection]


@exercise(
    "2.1",
    hints=(
        "Lesson 02, section 3: who sees a row that was inserted and not committed?",
        "Call `connection.commit()` after the insert, and before `connection.close()`.",
    ),
    why="Work that is not committed is gone at close(), and no error tells you.",
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
    },
)
def check_commit(enrol: Callable[[str, int], object]) -> None:
    """Enrol a student; then look from another connection, and at the process list."""
    with scene("stu") as witness:
        enrol("赵丽颖", 21)
        rows = ask("select name, age from stu")
        expect(len(rows) == 1, f"after one call others see {len(rows)} rows in stu, expected 1")
        row = {"name": "赵丽颖", "age": 21}
        expect(rows == [row], f"expected {row} in stu, the server shows {rows[0]}")
        left = witness.settle(0, seconds=2)
        expect(left == 0, f"the row is there, but the server still has {left} connection open")


@exercise(
    "2.2",
    hints=(
        "Lesson 02, section 5: SQL and data are two arguments, with a comma between them.",
        '`cursor.execute("select ... where name = %s", (name,))`, without quotes around `%s`.',
    ),
    why="The driver quotes what comes in as a parameter, so data stays data.",
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
    },
)
def check_injection(find_ids: Callable[[pymysql.Connection, str], list[int]]) -> None:
    """Look for honest names with quotes in them, and for names that are attacks."""
    with scene("student"), pymysql.connect(**connect_args(autocommit=True)) as connection:
        for name in ("O'Brien", "back\\slash"):
            with connection.cursor() as cursor:
                cursor.execute(
                    "insert into student(name, age, gender) values(%s, 30, '男')", (name,)
                )
        for name in ("' or '1'='1", "\\' or 1=1 -- ", "x' union select 99 -- "):
            found = list(find_ids(connection, name))
            expect(
                found == [],
                f"nobody has the name {name!r}, your function found {found}, expected none",
            )
        for row in ask("select id, name from student order by id"):
            found = list(find_ids(connection, row["name"]))
            expect(
                found == [row["id"]],
                f"expected {[row['id']]} for the name {row['name']}, your function found {found}",
            )


@exercise(
    "2.3",
    hints=(
        "Lesson 02, section 2: which kind of cursor returns a dict?",
        "`connection.cursor(DictCursor)`, and `order by age desc limit 1` in the SQL.",
    ),
    why='`row["age"]` still means the age when a column is added in front of it.',
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
    },
)
def check_dict_cursor(oldest: Callable[[pymysql.Connection], dict[str, Any]]) -> None:
    """Ask for the oldest student, before and after an older one comes."""
    with scene("student"), pymysql.connect(**connect_args(autocommit=True)) as connection:
        for older in (None, ("赵丽颖", 31), ("小甜甜", 47)):
            if older:
                with connection.cursor() as cursor:
                    cursor.execute(
                        "insert into student(name, age, gender) values(%s, %s, '女')", older
                    )
            found = oldest(connection)
            kind = type(found).__name__
            expect(isinstance(found, dict), f"expected a dict, your function returned a {kind}")
            row = ask("select * from student order by age desc limit 1")[0]
            expect(found == row, f"the oldest is {row}, your function returned {found}")


@exercise(
    "2.4",
    hints=(
        "Lesson 02, section 6: how many bytes has an emoji, and how many has MySQL's utf8 for it?",
        '`connect_args()` names the right charset already, and the line replaces it by "utf8".',
    ),
    why="utf8mb4 has room for every character of Unicode; MySQL's utf8 stops at three bytes.",
    wrong={
        'return pymysql.connect(**connect_args(charset="gbk"))': "😀",
        'return pymysql.connect(**connect_args(charset="utf8mb3"))': "1366",
        """
        connection = pymysql.connect(**connect_args())
        with connection.cursor() as cursor:
            cursor.execute("set names utf8mb3")
        return connection
        """: "1366",
    },
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
        "Connect before the loop and commit after it. What must happen if one of the names fails?",
        "`with connect() as connection:` closes in any case, and closing without a commit undoes.",
    ),
    why="One connection pays once, and one transaction keeps all names or none.",
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
    },
)
def check_one_connection(add_all: Callable[[Connect, list[str]], object]) -> None:
    """Add three names, then three of which one is too long; count connections and rows."""
    too_long = "x" * 65
    with scene("stu") as witness:
        connect = _Counted()
        names = ["韩雪", "舒畅", "唐嫣"]
        add_all(connect, names)
        stored = [row["name"] for row in ask("select name from stu order by id")]
        expect(stored == names, f"expected {names} in stu, the server shows {stored}")
        expect(
            connect.calls == 1, f"{connect.calls} connections for {len(names)} names, expected 1"
        )

    with scene("stu") as witness:
        errors = []  # kept, as a program with a log would
        try:
            add_all(_Counted(), ["韩雪", too_long, "唐嫣"])
        except pymysql.DataError as error:
            errors.append(error)
        expect(errors, "the second name was too long for stu, and no error reached the caller")
        left = witness.settle(0, seconds=2)
        expect(left == 0, f"after a name that failed the server still has {left} connection open")
        stored = [row["name"] for row in ask("select name from stu order by id")]
        expect(not stored, f"a name failed, and stu kept {stored}: expected all names or none")
