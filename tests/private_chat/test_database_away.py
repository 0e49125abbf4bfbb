"""A database that is slow, full or away: the log-in says so, open sockets stay, and all recovers by itself.

The messenger of this file has a database server of its own, which the tests stop, halt, lock and fill.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

import pymysql
import pytest

from demos.pool_demo.settings import connect_args
from demos.private_chat.mailbox import READERS, STORE_TIME
from demos.private_chat.web.app import ANSWER_TIME
from tests.support.waiting import eventually

from .own_database import OwnDatabase
from .people import Page, Person, ask, befriend, enrolled, newcomer, storing_waits_for_users

PROMISED = (
    5.0  # seconds until a page says that the database is away, or that a message was not stored
)
SENTENCE = "The database does not answer at the moment. Try again soon."
WAITING = """select count(*) as n from information_schema.processlist
    where db = database() and state like 'Waiting for table metadata lock%%'"""
IS_FULL = """create trigger {0}_is_full before insert on {0} for each row
    signal sqlstate 'HY000' set mysql_errno = 1114, message_text = 'The table is full'"""


@pytest.fixture(scope="module")
def own(_surroundings, tmp_path_factory):
    """The database server of this file."""
    with OwnDatabase(tmp_path_factory.mktemp("own")) as own:
        yield own


@pytest.fixture
def server(own, shared):
    return shared("step5_offline", "--proxies", "1")


@pytest.fixture
def pair(server):
    """Two friends and their pages, who have written to each other, and who have forms to send."""
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page, other = ann.page(), bob.page()
    for one, another in ((page, other), (other, page)):
        one.say(another.person, "before")
        assert another.message()["msg"] == "before"
    return ann, page, other


def patient(server):
    """Somebody with an account who looks at the form while all is well."""
    person = enrolled(server)
    person.get("/login")
    return person


def says_so(person, path="/login"):
    """Send the form and see that an answer comes, and is a page with a sentence."""
    answer = person.post(path, username=person.name, password=person.password)
    assert answer.status == 503
    assert SENTENCE in answer.body
    assert answer.headers["Retry-After"] == "5"
    for secret in ("select", "insert", "MySQL", "127.0.0.1", "(2003", "logins"):
        assert secret not in answer.body


def all_is_well(ann, page, other):
    """The same sockets work on, without a restart, and so does a new log-in."""
    bob = other.person
    assert eventually(lambda: page.say(bob, "and now")["type"] == "message")
    while other.message()["msg"] != "and now":
        pass
    assert newcomer(ann.server).page().is_open()
    assert Person(ann.server, ann.name).log_in().friends()[bob.name]["online"]


def bodies(one, other):
    """What is stored of what one wrote to the other, in order."""
    rows = ask(
        "select body from messages where sender_id = %s and recipient_id = %s order by id",
        one.id,
        other.id,
    )
    return [row["body"] for row in rows]


def test_the_limits_keep_the_promise():
    assert max(ANSWER_TIME, STORE_TIME) <= PROMISED


def test_a_database_that_halts(own, server, pair):
    ann, page, other = pair
    forms = [patient(server) for _ in range(3)]
    with own.halted(), ThreadPoolExecutor(4) as elsewhere:
        answers = [elsewhere.submit(says_so, form) for form in forms]
        lists = elsewhere.submit(ann.fetch, "/friends")
        refused = page.say(other.person, "while it hangs", "again")
        assert refused["code"] == "not_stored"
        assert page.is_open() and other.is_open()
        for answer in answers:
            answer.result()
        assert lists.result().status == 503
        assert lists.result().json == {"reason": SENTENCE}
        assert server.get("/healthz").status == 200
    # It may have been stored in the end. Sent again, it is there once, and everybody has it once.
    assert eventually(
        lambda: page.say(other.person, "while it hangs", "again")["type"] == "message"
    )
    last = page.say(other.person, "after")["id"]
    shown = {}
    while last not in shown:
        frame = other.message()
        shown[frame["id"]] = frame["msg"]
    stored = bodies(ann, other.person)
    assert stored == ["before", "while it hangs", "after"]
    assert [shown[number] for number in sorted(shown)] == stored[1:]
    all_is_well(*pair)


def test_who_writes_to_somebody_for_the_first_time_hears_as_soon(own, server, pair):
    """Whose name has to be looked up; so does a page that comes, and one that marks."""
    ann, page, other = pair
    bob = newcomer(server)
    befriend(ann, bob)
    first, marking = ann.page(), ann.page()
    for one in (first, marking):
        assert one.say(other.person, "before")["type"] == "message"
    with own.halted():
        first.send({"to": bob.name, "msg": "hello", "client_id": "first"})
        marking.send({"read": bob.name, "upto": 1})
        assert page.say(other.person, "while it hangs")["code"] == "not_stored"
        for one in (first, marking):
            assert one.next("error", seconds=0)["code"] == "not_stored"
        assert first.is_open() and marking.is_open()
    all_is_well(*pair)


def test_a_database_that_is_away(own, server, pair):
    ann, page, other = pair
    form, leaving = patient(server), newcomer(server)
    marked = page.say(other.person, "to be marked")["id"]
    assert other.message()["id"] == marked
    own.kill()
    other.send({"got": [marked]})
    assert eventually(lambda: "not_marked" in server.log)
    assert page.say(other.person, "while it is away", "again")["code"] == "not_stored"
    for _ in range(6):  # more than the wrong passwords that are allowed
        says_so(form)
    assert Page(ann).ended()[0] == 1011, "a code after which a page comes back"
    form.get("/register")
    says_so(form, "/register")
    assert page.is_open() and other.is_open()
    says_so(leaving, "/logout")
    own.start()
    assert eventually(lambda: leaving.fetch("/friends").status == 200), (
        "a log-out that failed is none"
    )
    copied = leaving.twin()
    leaving.log_out()
    assert copied.fetch("/friends").status == 401
    while marked not in page.next("delivered")["ids"]:
        pass
    assert bodies(ann, other.person) == ["before", "to be marked"]
    said = eventually(
        lambda: (
            (answer := page.say(other.person, "while it is away", "again"))["type"] == "message"
            and answer
        )
    )
    assert other.message()["id"] == said["id"]
    assert bodies(ann, other.person) == ["before", "to be marked", "while it is away"]
    all_is_well(*pair)
    assert form.try_to_log_in().status == 302, "what the database did was not her fault"


@contextmanager
def locked(table):
    """Hold a table as a long ALTER TABLE would."""
    with pymysql.connect(**connect_args(autocommit=True)) as keeper, keeper.cursor() as cursor:
        cursor.execute("set session lock_wait_timeout = 20")
        cursor.execute(f"lock tables {table} write")
        yield


@pytest.mark.parametrize("table", ["userinfo", "logins"])
def test_w12_a_locked_table_delays_nobody_elses_messages(server, pair, table):
    if table == "userinfo" and storing_waits_for_users():
        pytest.skip("here no message can be stored either; the other table shows it")
    _, page, other = pair
    # More than the pool has connections, and than one may guess: what waits for the database is no guess.
    user = enrolled(server)
    forms = [Person(server, user.name) for _ in range(12)]
    for form in forms:
        form.get("/login")
    with ThreadPoolExecutor(len(forms)) as elsewhere, locked(table):
        answers = [elsewhere.submit(says_so, form) for form in forms]
        assert eventually(lambda: ask(WAITING)[0]["n"] >= 2)
        for number in range(3):
            assert page.say(other.person, f"{number}")["type"] == "message"
            assert other.message()["msg"] == f"{number}"
        for answer in answers:
            answer.result()
    all_is_well(*pair)


def test_whoever_waits_for_locked_messages_is_told_in_time_and_may_come_back(server, pair):
    """However many pages come. Their log-ins are known by then: no request is left that could answer for them.

    Who confirms thousands of messages meanwhile waits for the database as well.
    """
    ann, page, other = pair
    marking = other.person.page()
    late = newcomer(server)  # whose friends hear that she comes; this does not hold her up as well
    befriend(late, other.person)
    with ThreadPoolExecutor(1) as elsewhere, locked("messages write, friendships"):
        began = monotonic()
        pages = [Page(late, since=1) for _ in range(5 * READERS)]
        for number in range(8):
            marking.send({"got": [10**9 + number * 1000 + more for more in range(1000)]})
        past = elsewhere.submit(ann.fetch, f"/history?friend={other.person.name}")
        assert [one.ended()[0] for one in pages] == [1011] * len(pages)
        assert monotonic() - began < PROMISED
        assert past.result().json == {"reason": SENTENCE}
        assert marking.ended()[0] == 1011
        assert page.is_open() and other.is_open()
    assert "event=database" in server.log and "path=/single_ws" in server.log
    assert bodies(ann, other.person) == ["before"]
    all_is_well(*pair)


def test_a_table_that_is_full(server, pair):
    ann, page, other = pair
    form = patient(server)
    for table in ("logins", "messages"):
        ask(IS_FULL.format(table))
    try:
        says_so(form)
        assert page.say(other.person, "not stored")["code"] == "not_stored"
        assert page.is_open() and other.is_open()
        history = ann.fetch(f"/history?friend={other.person.name}").json["messages"]
        assert "not stored" not in [message["msg"] for message in history]
    finally:
        for table in ("logins", "messages"):
            ask(f"drop trigger {table}_is_full")
    all_is_well(*pair)
