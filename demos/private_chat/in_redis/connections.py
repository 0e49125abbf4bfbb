"""B1: connections to Redis for many greenlets: whoever finds all of them in use waits for one.

The library's own pool raises an error then, and a class that logs in at once would look like a lost
Redis.
"""

import redis

CONNECTIONS = 20  # a call takes about a millisecond, so they serve thousands of calls a second
WAIT = 1.0  # seconds for a free connection


def redis_pool(
    url: str, answer_time: float, decode_responses: bool = False
) -> redis.BlockingConnectionPool:
    """Return a pool of connections. Needs a patched standard library (gevent.monkey).

    Args:
        url: such as redis://127.0.0.1:6379/0.
        answer_time: seconds after which a Redis that does not answer counts as lost.
        decode_responses: return answers as text, not as bytes.

    Raises:
        ValueError: `url` is none. Whoever waits longer than WAIT gets a redis.ConnectionError.
    """
    # Our own attempts replace the library's: a lost Redis must not hold anybody up.
    return redis.BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=WAIT,
        decode_responses=decode_responses,
        socket_timeout=answer_time,
        socket_connect_timeout=1,
        retry=None,
    )
