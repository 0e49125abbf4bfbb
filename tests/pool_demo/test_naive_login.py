"""B3 as the source has it: each scenario was run against the source's own program; what it did is what is expected."""

import re

import pymysql
import pytest
from dbutils.pooled_db import PooledDB, TooManyConnectionsError

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive.login_by_format import clear_passwords, over
from demos.pool_demo.naive.login_server import create_app
from demos.pool_demo.naive.published_key import sign
from demos.pool_demo.settings import connect_args
from demos.pool_demo.step2b_pool_for_login import LIMITS, log_in

USERS = {"alice": "wonderland", "bob": "builder"}
COPY_ALICE = (
    'eve", (select password from (select * from clear_userinfo) as t where name = "alice")) -- '
)
WRONG, NOT_TAKEN = "用户名米亚错误", "注册不合格"


class SourcesLogin:
    """The source's server, its users, and a browser: `login` and `register` say what comes of a form."""

    def __init__(self, app, ask):
        self.app, self.ask = app, ask
        self.browser = app.test_client()

    def send(self, page, **form):
        self.browser = self.app.test_client()
        answer = self.browser.post(page, data=form)
        problem = re.search(r'class="problem">([^<]+)<', answer.text)
        return answer.status_code, answer.location or (problem and problem[1])

    def login(self, name, password):
        return self.send("/login", username=name, password=password)

    def register(self, name, password):
        return self.send("/register", username=name, password=password)

    def session(self):
        with self.browser.session_transaction() as session:
            return dict(session)

    def new_rows(self):
        rows = self.ask("select name, password from clear_userinfo")
        return [tuple(row.values()) for row in rows if row["name"] not in USERS]


@pytest.fixture
def pool(book):
    """B7's pool."""
    pool = PooledDB(creator=pymysql, **LIMITS, ping=0, **connect_args())
    yield pool
    pool.close()


@pytest.fixture
def source(pool, ask):
    with clear_passwords(USERS):
        yield SourcesLogin(create_app(over(pool), pool), ask)


def in_as(name):
    return {"user_name": name, "is_login": True}


def test_both_forms_are_shown_to_anybody_and_there_is_no_log_out(source):
    browser = source.browser
    statuses = [browser.get(path).status_code for path in ("/login", "/register", "/logout")]
    assert statuses == [200, 200, 404]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "wonderland"),
        ("ALICE", "wonderland"),
        ("alice ", "wonderland"),
        ("alice", "WONDERLAND"),
    ],
)
def test_who_gets_in_honestly_and_the_session_has_the_name_as_it_was_typed(source, name, password):
    assert source.login(name, password) == (302, "/single")
    assert source.session() == in_as(name)


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "wrong"), ("nobody", "x"), ("", ""), ("O'Brien", "x"), ("a%", "%s")],
)
def test_there_is_one_message_for_whatever_is_wrong(source, name, password):
    assert source.login(name, password) == (200, WRONG)
    assert source.session() == {}


def test_a_form_without_fields_is_a_wrong_log_in(source):
    assert source.send("/login", another="field") == (200, WRONG)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", 'x" or "1"="1'),
        ("nobody", 'x" or "1"="1'),
        ('alice"-- ', ""),
        ('x" or 1=1 -- ', "zz"),
        ('x" union select 1 -- ', ""),
    ],
)
def test_e05_who_gets_in_with_sql(source, pool, name, password):
    assert source.login(name, password) == (302, "/single")
    assert source.session() == in_as(name)
    assert not log_in(pool, name, password)


@pytest.mark.parametrize("password", ["", "x"])
def test_e05_a_quote_in_a_name_is_a_syntax_error(source, pool, password):
    assert source.login('a"', password) == (500, None)
    with pytest.raises(pymysql.ProgrammingError) as caught:
        over(pool)(f'select name from clear_userinfo where name ="a""and password="{password}"')
    assert caught.value.args[0] == 1064


@pytest.mark.parametrize(
    ("name", "password", "rows"),
    [
        ("O'Brien", "pw", [("O'Brien", "pw")]),
        ("韩雪", "密码", [("韩雪", "密码")]),
        (" ", " ", [(" ", " ")]),
        ("m", '1"),("n","2', [("m", "1"), ("n", "2")]),
    ],
    ids=["one quote", "Chinese", "blanks", "two rows"],
)
def test_e14_registrations_leave_the_password_in_clear(source, name, password, rows):
    assert source.register(name, password) == (302, "/login")
    assert source.new_rows() == rows


def test_e05_a_registration_copies_the_password_of_another_out(source):
    assert source.register(COPY_ALICE, "whatever") == (302, "/login")
    assert source.new_rows() == [("eve", "wonderland")]
    assert source.login("eve", "wonderland") == (302, "/single")


@pytest.mark.parametrize(
    ("name", "password"), [("", ""), ("", "x"), ("dave", ""), ('a"b', "pw"), ("x" * 201, "pw")]
)
def test_a_registration_that_fails_has_one_message_and_leaves_nothing(source, name, password):
    assert source.register(name, password) == (200, NOT_TAKEN)
    assert source.new_rows() == []


def test_a_name_can_be_registered_twice_and_both_passwords_fit(source):
    assert [source.register("carol", word) for word in ("one", "two")] == [(302, "/login")] * 2
    assert source.new_rows() == [("carol", "one"), ("carol", "two")]
    assert [source.login("carol", word)[0] for word in ("one", "two")] == [302, 302]


def test_without_its_table_a_log_in_is_an_error_and_a_registration_a_refusal(source, ask):
    ask("rename table clear_userinfo to clear_userinfo_away")
    try:
        assert source.login("alice", "wonderland") == (500, None)
        assert source.register("carol", "pw") == (200, NOT_TAKEN)
    finally:
        ask("rename table clear_userinfo_away to clear_userinfo")


def test_eight_log_ins_or_bad_registrations_use_the_two_connections_of_the_start(witness, source):
    before = witness.settle(3)  # one is that of `clear_passwords`
    for _ in range(8):
        assert source.login("alice", "wonderland")[0] == 302
        assert source.register('a"b', "x") == (200, NOT_TAKEN)
    assert witness.settle(before) == before == 3


def test_e13_an_error_that_somebody_still_knows_keeps_its_connection(book):
    limits = LIMITS | {"blocking": False}  # otherwise the last one would wait without end
    pool = PooledDB(creator=pymysql, **limits, ping=0, **connect_args())
    known = []
    for _ in range(LIMITS["maxconnections"]):
        with pytest.raises(pymysql.ProgrammingError) as caught:
            over(pool)("no SQL")
        known.append(caught)
    with pytest.raises(TooManyConnectionsError):
        over(pool)("select 1")
    pool.close()


def test_e13_mysqlhelp_has_it_back_all_the_same(db):
    helper = MysqlHelp(connections=1)
    known = []
    for _ in range(3):
        with pytest.raises(pymysql.ProgrammingError) as caught:
            helper.selectall("no SQL")
        known.append(caught)
    assert helper.selectall("select 1 as one") == [{"one": 1}]


def test_e15_a_cookie_signed_with_the_published_key_is_whoever_it_says(source):
    source.browser.set_cookie("session", sign(in_as("alice")))
    assert source.session() == in_as("alice")
    source.browser.set_cookie("session", sign(in_as("alice"), "another key"))
    assert source.session() == {}
