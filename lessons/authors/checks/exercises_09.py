"""Lesson 09: who gets in, what the answer tells, and what ends a session."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from pymysql.cursors import Cursor
from werkzeug.security import generate_password_hash

from course.demo import Demo
from course.exercise import Wrong, exercise, expect
from course.lesson import LessonError
from course.messenger_client import PASSWORD, Visitor
from demos.instruments.delay_proxy import DelayProxy
from demos.pool_demo.mysqlhelp import MysqlHelp, Row
from lessons.authors.checks.running import delay_proxy, log_in, running
from lessons.authors.checks.scene import ask, helper, scene

TABLES = ("logins", "userinfo")
QUICK = "scrypt:1024:8:1"  # how to hash where nobody is to be kept out
HARD = "a&b=c +%41 密码"  # a password that a form has to encode
QUOTED = 'Ann "O\'Brien"'
LONGER_NAME = "韩雪梅"


@contextmanager
def messenger(module: str = "step2_accounts") -> Iterator[Demo]:
    """Run a step of the private chat on the seed."""
    with scene("messages", "friendships", *TABLES), running(f"private_chat.{module}") as demo:
        set_password(PASSWORD, "韩雪", "舒畅", "唐嫣", "小甜甜")
        yield demo


def set_password(password: str, *names: str, method: str = QUICK) -> None:
    """Give users of the seed a password; its hash is one that is quickly compared."""
    hashed = generate_password_hash(password, method)
    for name in names:
        ask("update userinfo set password = %s where name = %s", hashed, name)


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
        (
            "Lesson 09, section 1: how do the query and the data get to the database, so that "
            "data stays data?"
        ),
        ("They are two arguments. In the query stands a place, `%s`, and no quotes around it."),
        '`db.selectone("select … where name = %s", (name,))`, with a comma between the two.',
    ),
    why="A name is only data now: nothing in it can change the query.",
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
        """
        return db.selectone("select id, name, password from userinfo where name like %s", (name,))
        """: "nobody has the name 韩%",
        """
        return db.selectone("select id, name from userinfo where name = %s", (name,))
        """: "expected id, name and password",
        """
        return db.selectall("select id, name, password from userinfo where name = %s", (name,))
        """: "expected a dict",
        """
        sql = "select id, name, password from userinfo where name = %s"
        return db.selectone(sql, (name.strip(),))
        """: "nobody has the name  韩雪",
        """
        safe = name.replace("\\\\", "\\\\\\\\").replace('"', '\\\\"')
        return db.selectone('select id, name, password from userinfo where name = "%s"' % safe)
        """: "stands in the text of the query",
        """
        sql = "select id, name, password from userinfo where name = %s"
        return db.selectone(sql, (name,)) or {}
        """: "nobody has the name",
    },
    also_right=(
        """
        for row in db.selectall("select id, name, password from userinfo"):
            if row["name"] == name:
                return row
        return None
        """,
        """
        rows = db.selectall("select id, name, password from userinfo where name in (%s)", [name])
        return rows[0] if rows else None
        """,
    ),
)
def check_find_account(find_account: Callable[[MysqlHelp, str], Row | None]) -> None:
    """Look for honest names, one with quotes in it, and for names that are attacks."""
    sent: dict[str, list[str]] = {}
    with database() as db:
        for name in ("韩雪", "小甜甜", QUOTED):
            with _queries() as queries:
                found = find_account(db, name)
            expect(
                isinstance(found, dict) or not found,
                f"expected a dict, your function returned a {type(found).__name__}",
            )
            expect(
                found and found.get("name") == name,
                f"there is a user {name}, your function found {found and found.get('name')}",
            )
            row = ask("select id, name, password from userinfo where name = %s", name)[0]
            expect(found == row, f"expected id, name and password of {name}, and nothing else")
            sent[name] = queries
        for name in (
            'x" or "1"="1',
            '韩雪"-- ',
            '\\" or 1=1 -- ',
            'x" union select 1, 2, 3 -- ',
            "韩%",
            "韩_",
            " 韩雪",
        ):
            found = find_account(db, name)
            whom = found.get("name", found) if isinstance(found, dict) else found
            expect(found is None, f"nobody has the name {name}, your function found {whom}")
        for name, queries in sent.items():
            _expect_a_parameter(name, queries)


@contextmanager
def _queries() -> Iterator[list[str]]:
    """Note the text of each query that PyMySQL is given, without its parameters."""
    texts: list[str] = []
    execute = Cursor.execute

    def noting(cursor: Cursor, query: str, args: object = None) -> int:
        texts.append(str(query))
        return execute(cursor, query, args)

    with mock.patch.object(Cursor, "execute", noting):
        yield texts


def _expect_a_parameter(name: str, queries: list[str]) -> None:
    """Expect that a name is in no query's text."""
    start = name.split('"')[0]  # what comes behind it may have been escaped
    found = [query for query in queries if start in query]
    expect(
        not found,
        f"the name {name} stands in the text of the query: it has to be a parameter, so that it is "
        "data",
    )


@exercise(
    "9.3",
    hints=(
        "Lesson 09, section 6: with what is the password of an unknown user compared?",
        (
            "Check one hash in any case: that of the user, or `NOBODY` if there is no such "
            "user. And the answer for an unknown user is always `False`."
        ),
        (
            '`fits = check_password_hash(row["password"] if row else NOBODY, password)`, then '
            "`return fits and row is not None`."
        ),
    ),
    why="Nobody can find out which names exist, so an attacker has to guess name and password.",
    wrong={
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return row is not None and row["password"] == password
        """: "the right password",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return row is not None and check_password_hash(row["password"], password)
        """: "the time tells which names exist",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return check_password_hash(row["password"], password)
        """: "TypeError",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return check_password_hash(row["password"] if row else NOBODY, password) or not row
        """: "an unknown user",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        if row is None:
            check_password_hash(NOBODY[:20] + "short", password)
            return False
        return check_password_hash(row["password"], password)
        """: "the time tells which names exist",
        """
        import time
        row = db.selectone("select password from userinfo where name = %s", (name,))
        if row is None:
            time.sleep(0.1)
            return False
        return check_password_hash(row["password"], password)
        """: "the time tells which names exist",
        """
        row = db.selectone("select password from userinfo where name = '%s'" % name)
        fits = check_password_hash(row["password"] if row else NOBODY, password)
        return fits and row is not None
        """: "ProgrammingError",
        """
        rows = db.selectall("select name, password from userinfo")
        fits = any(check_password_hash(row["password"], password) for row in rows)
        return fits and name in [row["name"] for row in rows]
        """: "with the password of 韩雪",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        check_password_hash(row["password"] if row else NOBODY, password)
        return row is not None
        """: "with a wrong password",
        """
        check_password_hash(NOBODY, password)
        row = db.selectone("select password from userinfo where name = %s", (name,))
        return row is not None and check_password_hash(row["password"], password)
        """: "the time tells which names exist",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        fits = check_password_hash(row["password"] if row else NOBODY, password)
        return row and fits
        """: "expected False",
        """
        row = db.selectone("select password from userinfo where name = %s", (name,))
        hashed = row["password"] if row else NOBODY
        return check_password_hash(hashed, password.strip()) and row is not None
        """: "with a blank behind the password",
    },
    also_right=(
        """
        found = db.selectall("select password from userinfo where name = %s", (name,))
        hashes = [row["password"] for row in found] or [NOBODY]
        is_right = check_password_hash(hashes[0], password)
        return True if found and is_right else False
        """,
    ),
)
def check_may_enter(may_enter: Callable[[MysqlHelp, str, str], bool]) -> None:
    """Try right and wrong pairs; then compare the work for a wrong name and a wrong password."""
    with database() as db:
        set_password(PASSWORD, "韩雪", QUOTED)
        set_password("her own", "舒畅")
        for name, password in (("韩雪", PASSWORD), (QUOTED, PASSWORD), ("舒畅", "her own")):
            let_in = may_enter(db, name, password)
            expect(
                let_in is True,
                f"expected True for {name} with the right password, your function returned "
                f"{str(let_in)[:40]}",
            )
        for name, password, which in (
            ("韩雪", "guess", "a wrong password"),
            ("舒畅", PASSWORD, "the password of 韩雪"),
            ("韩雪", f"{PASSWORD} ", "a blank behind the password"),
        ):
            let_in = may_enter(db, name, password)
            expect(not let_in, f"{name} was let in with {which}")
        for name in ("nobody", "韩雪' -- ", 'x" or "1"="1'):
            password = "nobody has this password" if name == "nobody" else PASSWORD
            let_in = may_enter(db, name, password)
            expect(
                not let_in, f"an unknown user, {name}, was let in with the password {password!r}"
            )
            expect(
                let_in is False,
                f"for the unknown user {name} your function returned {let_in!r}, expected False",
            )
        set_password("her own", "舒畅", method="scrypt:32768:8:1")  # as the messenger does
        known, unknown = (
            _hashing(lambda name=name: may_enter(db, name, "guess"))  # type: ignore[misc]
            for name in ("舒畅", "nobody")
        )
        expect(
            known == unknown,
            f"a wrong password of 舒畅 costs {known:,} steps of hashing, an unknown name costs "
            f"{unknown:,}: the time tells which names exist",
        )


def _hashing(work: Callable[[], object]) -> int:
    """Return how much hashing of passwords is done meanwhile: a count, in the steps of scrypt."""
    steps = 0
    scrypt = hashlib.scrypt

    def counting(password: bytes, *, n: int, r: int, p: int, **options: Any) -> bytes:  # noqa: ANN401
        nonlocal steps
        steps += n * r * p
        return scrypt(password, n=n, r=r, p=p, **options)

    with mock.patch.object(hashlib, "scrypt", counting):
        work()
    return steps


@exercise(
    "9.2",
    hints=(
        (
            "Three parts go with the form: the fields, the token, and the cookie of the page "
            "before. Where does each come from?"
        ),
        (
            "Ask for `/login` first: its answer has the token and the first cookie. `urlencode` "
            "makes the body of a dict. The answer to the form has the new cookie."
        ),
        (
            '`page = site.get("/login")`; `site.get("/login", "POST", urlencode(fields), '
            "Cookie=cookie_in(page), Content_Type=FORM)`; `cookie_in` of that answer."
        ),
    ),
    why="Another site can send this form, but it cannot read the token of the page.",
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
        """
        page = site.get("/login")
        body = f"username={name}&password={password}&csrf_token={token_in(page)}"
        answer = site.get("/login", "POST", body, Cookie=cookie_in(page), Content_Type=FORM)
        return cookie_in(answer)
        """: "`urlencode` makes the body",
        """
        page = site.get("/login")
        fields = {"username": name, "password": "let-me-learn", "csrf_token": token_in(page)}
        answer = site.get(
            "/login", "POST", urlencode(fields), Cookie=cookie_in(page), Content_Type=FORM
        )
        return cookie_in(answer)
        """: "answered 401: it does not accept",
        """
        page = site.get("/login")
        fields = {"username": name, "password": password, "csrf_token": token_in(page)}
        return cookie_in(site.get("/login", "POST", urlencode(fields), Content_Type=FORM))
        """: "answered 400: the token",
        """
        page = site.get("/login")
        fields = {"username": name, "password": password}
        answer = site.get(
            "/login", "POST", urlencode(fields), Cookie=cookie_in(page), Content_Type=FORM
        )
        return cookie_in(answer)
        """: "answered 400: the token",
        """
        page = site.get("/login")
        fields = {"username": name, "password": password, "csrf_token": token_in(page)}
        return cookie_in(site.get("/login", "POST", urlencode(fields), Cookie=cookie_in(page)))
        """: "answered 400: the token",
        """
        page = site.get("/login")
        fields = {"username": name, "password": password, "csrf_token": token_in(page)}
        answer = site.get(
            "/login", "POST", urlencode(fields), Cookie=cookie_in(page), Content_Type=FORM
        )
        return answer.headers["Set-Cookie"]
        """: "nobody is logged in",
        """
        page = site.get("/login")
        body = f"username={name}&password={password}&csrf_token={token_in(page)}".encode()
        answer = site.get("/login", "POST", body, Cookie=cookie_in(page), Content_Type=FORM)
        return cookie_in(answer)
        """: "answered 401: it does not accept",
        """
        page = site.get("/login")
        fields = {"username": name, "password": password, "csrf_token": token_in(page)}
        answer = site.get(
            "/login", "POST", urlencode(fields), Cookie=cookie_in(page), Content_Type=FORM
        )
        return cookie_in(answer) + "; Path=/; HttpOnly"
        """: "as it is to be sent",
        """
        page = site.get("/login")
        fields = {"username": name, "password": password, "csrf_token": token_in(page)}
        answer = site.get(
            "/login", "POST", urlencode(fields), Cookie=cookie_in(page), Content_Type=FORM
        )
        try:
            return cookie_in(answer)
        except LookupError:
            return None
        """: "no error reached the caller",
        """
        page = site.get("/login")
        fields = {"username": name, "password": password, "csrf_token": token_in(page)}
        answer = site.get(
            "/login", "POST", urlencode(fields), Cookie=cookie_in(page), Content_Type=FORM
        )
        return cookie_in(answer if "Set-Cookie" in answer.headers else page)
        """: "no error reached the caller",
    },
    also_right=(
        """
        page = site.get("/login")
        fields = [("csrf_token", token_in(page)), ("username", name), ("password", password)]
        body = urlencode(fields)
        headers = {"Cookie": cookie_in(page), "Content_Type": FORM}
        return cookie_in(site.get("/login", "POST", body, **headers))
        """,
    ),
)
def check_enter(enter: Callable[[Demo, str, str], str]) -> None:
    """Log in as two users, and look whose page the cookie leads to."""
    with messenger() as site:
        set_password(HARD, "舒畅")
        for name, password in (("韩雪", PASSWORD), ("舒畅", HARD)):
            cookie = _entered(enter, site, name, password)
            page = site.get("/single", Cookie=cookie, Accept="text/html")  # as a browser asks
            expect(
                page.status == 200,
                f"with your cookie nobody is logged in: /single answers {page.status} for {name}",
            )
            whose = [one for one in ("舒畅", "韩雪") if one in page.body]
            expect(whose == [name], f"expected the page of {name}, it is that of {whose}")
            expect(
                cookie.startswith("messenger=") and ";" not in cookie,
                f"expected the cookie as it is to be sent, messenger=…, you return {cookie}",
            )
        _expect_refused(enter, site)


def _expect_refused(enter: Callable[[Demo, str, str], str], site: Demo) -> None:
    """Expect the given function's error for a password that is wrong."""
    try:
        found = enter(site, "韩雪", "a wrong password")
    except LookupError:
        return
    raise Wrong(
        f"with a wrong password your function returned {found!r}, and no error reached the caller"
    )


def _entered(enter: Callable[[Demo, str, str], str], site: Demo, name: str, password: str) -> str:
    """Return the cookie with which a user is logged in."""
    try:
        return str(enter(site, name, password))
    except UnicodeEncodeError:
        raise Wrong(
            "the body of the form has characters that have to be encoded: `urlencode` makes the "
            "body of a dict"
        ) from None
    except LookupError as error:
        status = getattr(error, "status", None)
        if status == 400:
            raise Wrong(
                f"no new cookie for {name}, the server answered 400: the token, the cookie that "
                "belongs to it, or the header Content_Type is missing"
            ) from None
        if status == 401:
            raise Wrong(
                f"no new cookie for {name}, the server answered 401: it does not accept the name "
                "or the password as they arrived"
            ) from None
        raise


@exercise(
    "9.4",
    hints=(
        (
            "Each log-in has a row in `logins`. Which column says whose it is, and which one "
            "that it has ended?"
        ),
        (
            "One `update` sets `ended_at` in the rows of this user that have none yet. The id "
            "of the user comes from a query within it."
        ),
        (
            "`update logins set ended_at = utc_timestamp(3) where ended_at is null and user_id "
            "= (select id from userinfo where name = %s)`."
        ),
    ),
    why="A session is kept on the server, so the server can end it on every device.",
    wrong={
        """
        db.update("update logins set ended_at = utc_timestamp(3) where ended_at is null")
        """: "was logged out as well",
        """
        db.update(
            "update logins set ended_at = utc_timestamp(3)"
            " where user_id = (select id from userinfo where name = %s) order by id desc limit 1",
            (name,),
        )
        """: "韩雪 is still logged in on 2 of 2",
        """
        db.selectone("select id from logins where user_id = %s", (name,))
        """: "is still logged in on 2 of 2",
        """
        db.update(
            "update logins set ended_at = utc_timestamp(3) where user_id = 1 and ended_at is null"
        )
        """: "舒畅 is still logged in",
        """
        user = db.selectone("select id from userinfo where name = %s", (name,))
        for row in db.selectall("select id from logins where user_id = %s", (user["id"],)):
            db.update(
                "update logins set ended_at = utc_timestamp(3) where id = %s and ended_at is null",
                (row["id"],),
            )
        """: "expected one statement",
        """
        db.update(
            "update logins set ended_at = utc_timestamp(3)"
            " where user_id = (select id from userinfo where name = %s)",
            (name,),
        )
        """: "keeps its time",
        """
        db.delete(
            "delete from logins where user_id = (select id from userinfo where name = %s)", (name,)
        )
        """: "the row stays",
        """
        db.update("update userinfo set password = 'scrypt:1:1:1$x$x' where name = %s", (name,))
        db.update(
            "update logins set ended_at = utc_timestamp(3) where ended_at is null"
            " and user_id = (select id from userinfo where name = %s)",
            (name,),
        )
        """: "expected one statement",
        """
        db.update(
            "update logins set ended_at = utc_timestamp(3) where ended_at is null"
            " and user_id = (select id from userinfo where name = '%s')" % name
        )
        """: "stands in the text of the query",
        """
        db.update(
            "update logins set ended_at = utc_timestamp(3) where ended_at is null"
            " and user_id in (select id from userinfo where name like %s)",
            (name + "%",),
        )
        """: "whose name only begins with 韩雪",
        """
        db.update(
            "update logins set ended_at = '2099-01-01' where ended_at is null"
            " and user_id = (select id from userinfo where name = %s)",
            (name,),
        )
        """: "expected the time of now",
        """
        db.update(
            "update logins set ended_at = '1999-01-01' where ended_at is null"
            " and user_id = (select id from userinfo where name = %s)",
            (name,),
        )
        """: "expected the time of now",
        """
        db.update(
            "update logins set ended_at = now(3) where ended_at is null"
            " and user_id = (select id from userinfo where name = %s)",
            (name,),
        )
        """: "expected the time of now in UTC",
        """
        db.execute(
            "update logins join userinfo on userinfo.id = logins.user_id"
            " set ended_at = coalesce(ended_at, utc_timestamp(3)), password = concat(password, 'x')"
            " where name = %s",
            (name,),
        )
        """: "韩雪 cannot log in any more",
    },
    also_right=(
        """
        db.execute(
            "update logins join userinfo on userinfo.id = logins.user_id"
            " set ended_at = coalesce(ended_at, utc_timestamp(3)) where name = %s",
            (name,),
        )
        """,
    ),
)
def check_end_everywhere(end_everywhere: Callable[[MysqlHelp, str], Any]) -> None:
    """Log in on two devices and as somebody else; end all; look who is still in."""
    with messenger() as site, delay_proxy() as proxy, helper(proxy.settings) as db:
        db.selectone("select 1")  # now its connection is open
        devices = [log_in(site, "韩雪") for _ in range(2)]
        other = log_in(site, "舒畅")
        old = "2024-01-01 08:00:00.000"
        sql = "insert into userinfo(name, password) select %s, password from userinfo where id = 1"
        ask(sql, LONGER_NAME)
        sql = "insert into logins(token, user_id) select %s, id from userinfo where name = %s"
        ask(sql, "y" * 32, LONGER_NAME)
        before = ask("select count(*) n from logins")[0]["n"] + 1
        with db.transaction():
            db.execute("set time_zone = '+09:00'")  # a server whose own time is not UTC
            sql = "insert into logins(token, user_id, ended_at) values(%s, 1, %s)"
            db.insert(sql, ("x" * 32, old))  # the first change has a round trip of its own
            one = _trips(proxy, lambda: db.update("update logins set ended_at = null where false"))
            with _queries() as queries:
                count = _trips(proxy, lambda: end_everywhere(db, "韩雪"))
        expect(
            ask("select count(*) n from logins")[0]["n"] == before,
            "a row of logins is gone: a session ends when ended_at is set, and the row stays",
        )
        still = sum(_is_in(device) for device in devices)
        expect(not still, f"韩雪 is still logged in on {still} of {len(devices)} devices")
        expect(_is_in(other), "舒畅 was logged out as well")
        expect(
            ask("select 1 from logins where ended_at is null and token = %s", "y" * 32),
            f"{LONGER_NAME} was logged out as well, whose name only begins with 韩雪",
        )
        expect(
            ask("select 1 from logins where ended_at = %s", old),
            "a session that had ended before keeps its time, and this one has a new time",
        )
        expect(
            count <= one,
            f"expected one statement, so that the server answers {one} times; it answered {count} "
            "times",
        )
        _expect_a_parameter("韩雪", queries)
        now = """select 1 from logins where user_id = 1 and ended_at <> %s
            and abs(timestampdiff(second, ended_at, utc_timestamp(3))) > 60"""
        expect(
            not ask(now, old),
            "expected the time of now in UTC in ended_at (utc_timestamp), it is another time",
        )
        expect(_can_log_in(site, "韩雪"), "韩雪 cannot log in any more")
        end_everywhere(db, "舒畅")
        expect(not _is_in(other), "舒畅 is still logged in, after a call for her")


def _trips(proxy: DelayProxy, work: Callable[[], object]) -> int:
    """Return how often the server is waited for meanwhile."""
    before = proxy.round_trips()
    work()
    return proxy.round_trips() - before


def _can_log_in(site: Demo, name: str) -> bool:
    try:
        return _is_in(log_in(site, name))
    except LessonError:
        return False


def _is_in(visitor: Visitor) -> bool:
    return visitor.get("single").status == 200
