"""Lesson 09: who gets in, what the answer tells, and what ends a session."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from course.demo import Demo
from course.exercise import exercise, expect
from course.visitor import PASSWORD, Visitor, log_in
from demos.pool_demo.mysqlhelp import MysqlHelp, Row
from demos.pool_demo.phases import timed
from lessons.checks.running import running
from lessons.checks.scene import ask, scene

TABLES = ("logins", "userinfo")
QUOTED = 'Ann "O\'Brien"'


@contextmanager
def messenger(module: str = "step2_accounts") -> Iterator[Demo]:
    """Run a step of the private chat on the seed."""
    with scene("messages", "friendships", *TABLES), running(f"private_chat.{module}") as demo:
        yield demo


@contextmanager
def helper() -> Iterator[MysqlHelp]:
    """Give a helper that is closed afterwards."""
    db = MysqlHelp(connections=2)
    try:
        yield db
    finally:
        db.close()


@contextmanager
def database() -> Iterator[MysqlHelp]:
    """Give a helper over the seed, with one more user whose name has quotes in it."""
    with scene("messages", "friendships", *TABLES), helper() as db:
        sql = "insert into userinfo(name, password) select %s, password from userinfo where id = 1"
        ask(sql, QUOTED)
        yield db


@exercise(
    "9.1",
    hints=(
        "Lesson 09, section 1: the query and the data are two arguments.",
        '`db.selectone("select … where name = %s", (name,))`, without quotes around `%s`.',
    ),
    why="The database gets the query and the name apart, so no name can change the query.",
    wrong={
        """
        safe = name.replace('"', "")
        return db.selectone('select id, name, password from userinfo where name = "%s"' % safe)
        """: "O'Brien",
        """
        safe = name.replace('"', '""')
        return db.selectone('select id, name, password from userinfo where name = "%s"' % safe)
        """: "nobody has the name",
        """
        sql = 'select id, name, password from userinfo where name = "%s"'
        return db.selectone(sql, (name,))
        """: "there is a user 韩雪",
    },
)
def check_find_account(find_account: Callable[[MysqlHelp, str], Row | None]) -> None:
    """Look for honest names, one with quotes in it, and for names that are attacks."""
    with database() as db:
        for name in ("韩雪", "小甜甜", QUOTED):
            found = find_account(db, name)
            expect(
                found and found["name"] == name,
                f"there is a user {name}, your function found {found and found['name']}",
            )
        for name in ('x" or "1"="1', '韩雪"-- ', '\\" or 1=1 -- ', 'x" union select 1, 2, 3 -- '):
            found = find_account(db, name)
            expect(found is None, f"nobody has the name {name}, your function found {found}")


@exercise(
    "9.2",
    hints=(
        "Lesson 09, section 6: what is the password of somebody unknown compared with?",
        "Check a hash in any case: the user's, or `NOBODY` if there is no such user.",
    ),
    why="Whoever can tell a wrong name from a wrong password has half of the log-in.",
    wrong={
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return row is not None and row["password"] == password
        """: "the right password",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return row is not None and check_password_hash(row["password"], password)
        """: "the time tells",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return check_password_hash(row["password"], password)
        """: "TypeError",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return check_password_hash(row["password"] if row else NOBODY, password) or not row
        """: "an unknown user",
    },
)
def check_may_enter(may_enter: Callable[[MysqlHelp, str, str], bool]) -> None:
    """Try right and wrong pairs; then compare the time of a wrong name and a wrong password."""
    with database() as db:
        for name in ("韩雪", QUOTED):
            expect(may_enter(db, name, PASSWORD), f"{name} was refused with the right password")
        expect(not may_enter(db, "韩雪", "guess"), "韩雪 was let in with a wrong password")
        for password in ("guess", "", "nobody has this password"):
            let_in = may_enter(db, "nobody", password)
            expect(not let_in, f"an unknown user was let in with the password {password!r}")
        known, unknown = (
            min(timed(lambda name=name: may_enter(db, name, "guess")) for _ in range(3)) / 1000  # type: ignore[misc]
            for name in ("舒畅", "nobody")
        )
        expect(
            unknown > known / 4,
            f"a known name took {known:.0f} ms and an unknown one {unknown:.1f} ms: the time tells",
        )


@exercise(
    "9.3",
    hints=(
        "Three parts go with the form: the fields, the token, and the cookie of the page before.",
        "Ask for /login first. The token is for that page's cookie; the answer has the new one.",
    ),
    why="A page of somebody else can send the form, but it cannot read the token.",
    wrong={
        """
        fields = {"username": name, "password": password}
        answer = site.get("/login", "POST", urlencode(fields), Content_Type=FORM)
        return answer.headers.get("Set-Cookie", "")
        """: "nobody is logged in",
        """
        return cookie_in(site.get("/login"))
        """: "nobody is logged in",
        """
        page = site.get("/login")
        fields = {"username": name, "password": password, "csrf_token": token_in(page)}
        answer = site.get("/login", "POST", urlencode(fields), Content_Type=FORM)
        return cookie_in(page)
        """: "nobody is logged in",
        """
        page = site.get("/login")
        fields = {"username": "韩雪", "password": "let-me-learn", "csrf_token": token_in(page)}
        answer = site.get(
            "/login", "POST", urlencode(fields), Cookie=cookie_in(page), Content_Type=FORM
        )
        return cookie_in(answer)
        """: "it is that of ['韩雪']",
    },
)
def check_enter(enter: Callable[[Demo, str, str], str]) -> None:
    """Log in as two users, and look whose page the cookie leads to."""
    with messenger() as site:
        for name in ("舒畅", "韩雪"):
            cookie = enter(site, name, PASSWORD)
            page = site.get("/single", Cookie=str(cookie))
            expect(
                page.status == 200,
                f"with your cookie nobody is logged in: /single answers {page.status} for {name}",
            )
            whose = [one for one in ("舒畅", "韩雪") if one in page.body]
            expect(whose == [name], f"expected the page of {name}, it is that of {whose}")


@exercise(
    "9.4",
    hints=(
        "Each log-in has a row in `logins`; `user_id` says whose it is.",
        "`update logins set ended_at = utc_timestamp(3) where user_id = (select … )`.",
    ),
    why="What a session is lies on the server, so the server can end it wherever the cookie is.",
    wrong={
        """
        db.update("update logins set ended_at = utc_timestamp(3) where ended_at is null")
        """: "舒畅 was logged out as well",
        """
        db.update(
            "update logins set ended_at = utc_timestamp(3)"
            " where user_id = (select id from userinfo where name = %s) order by id desc limit 1",
            (name,),
        )
        """: "is still logged in on 1 of 2",
        """
        db.selectone("select id from logins where user_id = %s", (name,))
        """: "is still logged in on 2 of 2",
    },
)
def check_end_everywhere(end_everywhere: Callable[[MysqlHelp, str], Any]) -> None:
    """Log in on two devices and as somebody else; end all; look who is still in."""
    with messenger() as site, helper() as db:
        devices = [log_in(site, "韩雪") for _ in range(2)]
        other = log_in(site, "舒畅")
        end_everywhere(db, "韩雪")
        still = sum(_is_in(device) for device in devices)
        expect(not still, f"韩雪 is still logged in on {still} of {len(devices)} devices")
        expect(_is_in(other), "舒畅 was logged out as well")
        expect(_is_in(log_in(site, "韩雪")), "韩雪 cannot log in any more")


def _is_in(visitor: Visitor) -> bool:
    return visitor.get("single").status == 200
