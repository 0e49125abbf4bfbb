"""E1 to E4, E6, E7: wrong in the source, right here."""

import warnings

import pymysql
import pytest
from dbutils.pooled_db import PooledDB, TooManyConnections

from demos.pool_demo import settings
from demos.pool_demo.naive import old_spellings, pool_beliefs
from demos.pool_demo.settings import POOL_LIMITS, connect_args


def open_pool(**limits):
    return PooledDB(creator=pymysql, **limits, **connect_args())


def test_e01_old_import_fails():
    with pytest.raises(ModuleNotFoundError):
        old_spellings.import_old_name()


def test_e01_ours_imports():
    import demos.pool_demo.ptpool as ours

    assert ours.PooledDB is PooledDB


def borrow(pool, count):
    """Borrow up to `count` connections and return them."""
    borrowed = []
    try:
        while len(borrowed) < count:
            borrowed.append(pool.connection())
    except TooManyConnections:
        pass
    return borrowed


def give_back(borrowed):
    for connection in borrowed:
        connection.close()


SHARING = [pool_beliefs.ALL_SHARED, pool_beliefs.ZERO_SHARES_ALL]


@pytest.mark.parametrize("belief", SHARING, ids=lambda belief: belief.erratum)
def test_e02_e03_three_borrowers_never_share(witness, belief):
    pool = open_pool(**belief.limits)
    borrowed = borrow(pool, 3)
    assert witness.settle(3) == 3 != belief.promised
    give_back(borrowed)
    pool.close()


def test_e02_maxcached_is_not_0_as_the_source_says(witness):
    belief = pool_beliefs.ALL_CACHED
    pool = open_pool(**belief.limits)
    give_back(borrow(pool, 7))
    kept = witness.settle(5)
    assert kept == belief.limits["maxcached"] != belief.promised
    pool.close()


def test_e02_ours_does_not_say_that_connections_are_shared():
    source = (settings.ROOT / "demos" / "pool_demo" / "pool.py").read_text("utf-8")
    (line,) = [line for line in source.splitlines() if line.strip().startswith("maxshared")]
    assert "meant for" in line
    assert "step3c tests it" in line
    assert pymysql.threadsafety == 1


def test_e03_maxshared_raises_the_maximum(witness):
    belief = pool_beliefs.MAXIMUM_HOLDS
    pool = open_pool(**belief.limits)
    borrowed = borrow(pool, 30)
    assert witness.settle(20) == len(borrowed) == 20
    assert belief.promised == 2
    give_back(borrowed)
    pool.close()


def test_e03_our_maximum_is_not_raised_by_another_limit():
    raising = (POOL_LIMITS["maxshared"], POOL_LIMITS["maxcached"], POOL_LIMITS["mincached"])
    assert max(raising) <= POOL_LIMITS["maxconnections"]


def test_e04_the_minimum_is_not_kept(witness):
    belief = pool_beliefs.MINIMUM_HOLDS
    pool = open_pool(**belief.limits)
    for connection_id in witness.ids():
        witness.kill(connection_id)
    with pool.connection() as connection:
        connection.cursor().execute("select 1")
        assert len(witness.ids()) == 1 < belief.promised
    pool.close()


def test_e04_ours_says_so_and_replaces_what_died(db, witness):
    source = (settings.ROOT / "demos" / "pool_demo" / "pool.py").read_text("utf-8")
    assert "Later the pool does not keep this number (E4)" in source
    assert db.selectone("select 1 as one") == {"one": 1}


EMOJI = "insert into stu(name, age) values(%s, 1)"


def test_e06_utf8_has_no_emoji(book):
    with old_spellings.connect_with_utf8() as old, old.cursor() as cursor:
        with pytest.raises(pymysql.MySQLError) as caught:
            cursor.execute(EMOJI, ("😀",))
        assert caught.value.args[0] == 1366


def test_e06_ours_keeps_an_emoji(book):
    with pymysql.connect(**connect_args()) as ours, ours.cursor() as cursor:
        cursor.execute(EMOJI, ("😀",))
        cursor.execute("select name from stu")
        assert cursor.fetchone() == ("😀",)


def test_e07_old_keywords_are_deprecated(book):
    with pytest.warns(DeprecationWarning) as caught:
        old_spellings.connect_with_old_keywords().close()
    said = " ".join(str(warning.message) for warning in caught)
    assert "'db' is deprecated" in said
    assert "'passwd' is deprecated" in said


def test_e07_ours_are_not(book):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pymysql.connect(**connect_args()).close()
