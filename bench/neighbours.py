"""The CPU time of what serves beside a chat: Redis and the database. They say it themselves.

An architect needs it: a chat in many processes is as quick as what they share.
"""

from pathlib import Path

import psutil
import pymysql
import redis

from demos.pool_demo.settings import connect_args


def redis_cpu(url: str) -> float:
    """Return the seconds of CPU time that Redis has used until now.

    Raises:
        redis.RedisError: it does not answer.
    """
    with redis.Redis.from_url(url) as client:
        told = client.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def database_cpu() -> float:
    """Return the seconds of CPU time that the database has used; 0 if it is on another machine.

    Raises:
        pymysql.MySQLError: it does not answer.
    """
    with pymysql.connect(**connect_args()) as connection, connection.cursor() as cursor:
        cursor.execute("select @@pid_file")
        (path,) = cursor.fetchone()
    try:
        times = psutil.Process(int(Path(path).read_text("ascii"))).cpu_times()
    except (OSError, ValueError, psutil.Error):
        return 0.0
    return float(times.user + times.system)
