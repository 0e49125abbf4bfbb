"""E1, E6, E7: names and values that only old versions need. Right: pool.py and settings.py."""

from typing import Any

import pymysql

from demos.pool_demo.settings import load


def import_old_name() -> type:
    """E1: import the pool by its name before DBUtils 2.0. Raises ModuleNotFoundError."""
    from DBUtils.PooledDB import PooledDB  # type: ignore[import-not-found]

    return PooledDB  # type: ignore[no-any-return]


def connect_with_utf8() -> pymysql.Connection:
    """E6: connect with charset "utf8", which has three bytes for a character: no emoji."""
    return pymysql.connect(**load().connect_args(charset="utf8"))


def arguments() -> dict[str, Any]:
    """E6, E7: return the keywords as A6 spells them; use_unicode=True is the default today."""
    found = load().connect_args(charset="utf8", use_unicode=True)
    found["passwd"] = found.pop("password")
    found["db"] = found.pop("database")
    return found


def connect_with_old_keywords() -> pymysql.Connection:
    """E7: connect with `passwd=` and `db=`. PyMySQL warns: DeprecationWarning."""
    return pymysql.connect(**arguments())
