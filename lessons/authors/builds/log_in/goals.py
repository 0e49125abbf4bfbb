"""What is asked of a log-in: who gets in, who does not, and what a stranger learns and changes."""

import html
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import pymysql
from werkzeug.security import check_password_hash

from course.build import Mutant, Staircase
from course.demo import Answer
from course.exercise import expect
from course.messenger_client import PASSWORD, Visitor
from demos.pool_demo.seed import restore
from demos.pool_demo.settings import connect_args
from lessons.authors.builds import passwords
from lessons.authors.builds.program import Program, begins_with, serving, until, wait_for_a_lock
from lessons.authors.checks.scene import ask

TABLES = ("logins", "userinfo")
REDIRECTS = (302, 303)
ONE, TWO, THREE, FOUR = "韩雪", "舒畅", "唐嫣", "小甜甜"
PATIENCE = 5.0  # seconds until we say that the server does not answer
NEW_PASSWORD = "a long password"


@contextmanager
def at_the_seed(file: Path) -> Iterator[Program]:
    """Give a program that has not been started yet; its end brings back the seed."""
    try:
        with serving(file, may_use="demos.pool_demo") as site:
            yield site
    finally:
        with suppress(pymysql.MySQLError):
            restore(*TABLES)


stairs = Staircase(at_the_seed)


def attempt(site: Program, name: str, password: str, path: str = "login") -> tuple[Visitor, Answer]:
    """Send the log-in form with a new browser."""
    visitor = Visitor(site)
    visitor.get("login")
    return visitor, visitor.post(path, username=name, password=password)


def enter(site: Program, name: str, password: str = PASSWORD) -> Visitor:
    """Expect that a user can log in, and sees her page."""
    visitor, answer = attempt(site, name, password)
    expect(
        answer.status in REDIRECTS,
        f"expected a redirect for {name} with the right password, it is {answer.status}",
    )
    expect(is_in(visitor, name), f"expected {name}'s name at /single after her log-in")
    return visitor


def is_in(visitor: Visitor, name: str) -> bool:
    """Say whether /single shows this user's name."""
    answer = visitor.get("single")
    return answer.status == 200 and name in html.unescape(answer.body)


def register(site: Program, name: str, password: str = NEW_PASSWORD) -> Answer:
    """Send the form for a new account with a new browser."""
    visitor = Visitor(site)
    visitor.get("register")
    return visitor.post("register", username=name, password=password)


@stairs.goal(
    hint="Lesson 09, sections 1 and 3: look the name up with a parameter, compare with "
    "check_password_hash, note the user in Flask's `session`, and redirect to /single.",
    mutant=[("check_password_hash(kept, password)", "kept == password")],
    says="expected a redirect for 韩雪",
    also=[
        begins_with(
            "from demos.private_chat import accounts",
            says="your file imports demos.private_chat.accounts",
        ),
        begins_with(
            "import runpy\nrunpy.run_module('demos.private_chat.step2_accounts', None, '__main__')",
            says="your program uses demos.private_chat",
        ),
    ],
)
def lets_users_in(site: Program) -> None:
    """Start it, and log in."""
    restore(*TABLES)
    site.start()
    enter(site, ONE)
    enter(site, TWO)
    passwords.make_quick()


@stairs.goal(
    hint="The password has to be compared for the name that was given. /single asks the session, "
    "and a cookie that nobody signed has none.",
    mutant=[
        ("    if not name:\n        return redirect", "    if name == 0:\n        return redirect")
    ],
    says="without a cookie",
)
def lets_nobody_else_in(site: Program) -> None:
    """Try wrong passwords, SQL, no cookie and a forged one."""
    site.quiet = True
    answer = Visitor(site).get("single")
    expect(
        answer.status in REDIRECTS and "login" in answer.headers.get("Location", ""),
        f"expected a redirect to /login without a cookie, /single answers {answer.status}",
    )
    for name, password in ((ONE, "guess"), (f"{TWO}' -- ", PASSWORD), (TWO, "x' or '1'='1")):
        visitor, answer = attempt(site, name, password)
        expect(answer.status == 401, f"expected 401 for {name!r}, {password!r}: {answer.status}")
        expect(
            not is_in(visitor, ONE) and not is_in(visitor, TWO),
            f"{name!r} gets in with {password!r}",
        )
    known, forged = enter(site, THREE), Visitor(site)
    for name, value in known.cookies.items():
        forged.cookies[name] = ("b" if value[0] == "a" else "a") + value[1:]
    expect(not is_in(forged, THREE), f"a cookie that was changed opens the page of {THREE}")


@stairs.goal(
    hint="Say that the name or the password is wrong, and do not say which of them. Do not fill "
    "in other things either: the two pages must be equal.",
    mutant=[
        ('return page("Name or password is wrong."), 401', 'return page(f"Wrong {bool(row)}"), 401')
    ],
    says="the same page",
)
def tells_no_names(site: Program) -> None:
    """Compare the answers to a wrong password and to an unknown name."""
    pages = []
    for name in (FOUR, "nobody"):
        _, answer = attempt(site, name, "guess")
        expect(answer.status == 401, f"expected 401 for {name!r} with a guess: {answer.status}")
        pages.append(re.sub(r'value="?[^">]*"?', "", answer.body).replace(name, ""))
    expect(
        pages[0] == pages[1],
        "expected the same page for a wrong password and for an unknown name, they differ",
    )


@stairs.goal(
    hint="Lesson 09, section 3: generate_password_hash draws a salt for each password. The unique "
    "key on the name decides who was first: catch the IntegrityError of INSERT.",
    mutant=[("if len(password) < 8:", "if len(password) < 1:")],
    says="a password of 7 characters",
)
def registers(site: Program) -> None:
    """Make accounts, and refuse those that cannot be."""
    for name in ("杨颖", "O'Brien"):
        answer = register(site, name)
        expect(answer.status in REDIRECTS, f"expected that {name} can register: {answer.status}")
        enter(site, name, NEW_PASSWORD)
    hashes = [str(row["password"]) for row in ask("select password from userinfo where id > 4")]
    expect(
        len(set(hashes)) == 2 and all(check_password_hash(one, NEW_PASSWORD) for one in hashes),
        "expected two different hashes for one password, each with a salt of its own",
    )
    taken = register(site, ONE).status
    expect(400 <= taken < 500, f"expected 400 to 499 for a name that is taken, it is {taken}")
    short = register(site, "guest", "7 chars").status
    expect(400 <= short < 500, f"expected 400 to 499 for a password of 7 characters, it is {short}")
    names = [row["name"] for row in ask("select name from userinfo where id > 4 order by id")]
    expect(names == ["杨颖", "O'Brien"], f"expected two new accounts, there are {names}")
    enter(site, ONE)


@stairs.goal(
    hint="Lesson 09, section 5: CSRFProtect(app) of flask_wtf checks the token of each POST; the "
    "form needs the hidden field. Set SESSION_COOKIE_SAMESITE; HttpOnly is Flask's default.",
    mutant=[("CSRFProtect(app)", "app.jinja_env.globals['csrf_token'] = str")],
    says="without the token",
)
def checks_the_token(site: Program) -> None:
    """Send the forms as a page of another site would."""
    visitor, answer = attempt(site, ONE, PASSWORD)
    cookies = answer.headers.get_all("Set-Cookie") or []
    for attribute in ("HttpOnly", "SameSite=Lax"):
        strict = attribute.replace("Lax", "Strict")
        expect(
            any(attribute in one or strict in one for one in cookies),
            f"expected {attribute} at the cookie, it has no such attribute",
        )
    for token in ("", "guess"):
        status = visitor.post("logout", csrf_token=token).status
        expect(
            status >= 400 and is_in(visitor, ONE),
            f"expected that POST /logout without the token does nothing, it answers {status}",
        )
        stranger = Visitor(site)
        stranger.get("register")
        stranger.post("register", csrf_token=token, username="forged", password=NEW_PASSWORD)
        expect(
            not ask("select id from userinfo where name = 'forged'"),
            "POST /register without the token has made an account",
        )


@stairs.goal(
    hint="Lesson 09, section 8: put a random token into the session and a row with it into "
    "`logins`. /single looks whether that row has ended; /logout ends it.",
    mutant=[
        (
            "set ended_at = utc_timestamp(3) where",
            "set ended_at = null where",
        )
    ],
    says="a copy of the cookie",
    also=[
        Mutant(
            [
                (
                    '            sessions.pop(session["cookie"], None)\n            self.go',
                    "            self.go",
                )
            ],
            says="expected that /single is closed after the log-out",
            of="second",
        )
    ],
)
def logs_out(site: Program) -> None:
    """Log out, and come with a copy of the cookie."""
    visitor, thief = enter(site, ONE), Visitor(site)
    thief.cookies = dict(visitor.cookies)
    other = enter(site, ONE)
    expect(is_in(thief, ONE), "expected that a copy of the cookie is as good as the cookie")
    status = visitor.post("logout").status
    expect(status < 400, f"expected that POST /logout is answered, it is {status}")
    expect(not is_in(visitor, ONE), "expected that /single is closed after the log-out, it is open")
    expect(not is_in(thief, ONE), "after the log-out a copy of the cookie still opens /single")
    expect(is_in(other, ONE), "expected that a log-out ends one session, another browser is out")


@stairs.goal(
    hint="If your log-in reads `next` or another address from the request, only a path of this "
    "server may come out of it. The plain way: always redirect to single.",
    mutant=[('return redirect("single")', 'return redirect(request.args.get("next") or "single")')],
    says="elsewhere.example",
)
def redirects_to_itself(site: Program) -> None:
    """Log in over a link that names another server."""
    for target in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
        query = "&".join(f"{name}={target}" for name in ("next", "url", "redirect"))
        _, answer = attempt(site, ONE, PASSWORD, f"login?{query}")
        where = answer.headers.get("Location", "")
        expect(
            "elsewhere.example" not in where,
            f"after POST /login?next={target} the browser is sent to {where}",
        )


@stairs.goal(
    hint="Keep the times of wrong passwords for each name, and forget those older than a minute. "
    "Count before you compare: a hundred at once must not all be the first.",
    mutant=[("if len(wrong[name]) >= MOST:", "if len(wrong[name]) >= 5000:")],
    says="429 from the sixth on",
)
def stops_who_guesses(site: Program) -> None:
    """Guess seven times, and then with the right password; somebody else logs in."""
    site.start()  # what was counted until now is forgotten
    found = [attempt(site, FOUR, f"guess {number}")[1].status for number in range(7)]
    expect(
        429 in found[:6] and set(found) == {401, 429},
        f"expected 401 for some wrong passwords and 429 from the sixth on, they are {found}",
    )
    _, answer = attempt(site, FOUR, PASSWORD)
    expect(
        answer.status == 429,
        f"expected 429 for the right password after too many wrong ones, it is {answer.status}",
    )
    enter(site, TWO)


@stairs.goal(
    hint="Borrow connections in a `with` block, or use MysqlHelp: an error gives the connection "
    "back. A server with one thread needs `monkey.patch_all()` first, or one slow query stops all.",
    mutant=[("threaded=True", "threaded=False")],
    says="while one log-in waits",
)
def goes_on(site: Program) -> None:
    """Send strange names; then lock the table while one logs in."""
    site.start()
    for name in ('a"', "a'", "\\", "%s", "{}", "名" * 5000, "\0", "🙂", ""):
        _, answer = attempt(site, name, "guess")
        expect(
            answer.status < 500, f"expected below 500 for the name {name[:9]!r}: {answer.status}"
        )
    enter(site, TWO)
    site.start()  # some of these counted as guesses
    answered: list[Answer] = []
    with pymysql.connect(**connect_args()) as keeper, keeper.cursor() as lock:
        lock.execute("lock tables userinfo write")
        try:
            waiting = _in_background(lambda: attempt(site, ONE, PASSWORD))
            wait_for_a_lock("a log-in that reads `userinfo`")
            asking = _in_background(lambda: answered.append(Visitor(site).get("login")))
            until(lambda: answered, PATIENCE)
        finally:
            lock.execute("unlock tables")
        expect(
            answered,
            f"while one log-in waits for the database, GET /login has no answer for {PATIENCE:g} s",
        )
        waiting.join(PATIENCE)
        asking.join(PATIENCE)
    ended = site.end()
    expect(not ended, ended)


def _in_background(work: Callable[[], object]) -> threading.Thread:
    """Start what may be cut off together with the program."""

    def run() -> None:
        with suppress(OSError, HTTPException):
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
