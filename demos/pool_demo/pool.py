"""A4: the module that creates the pool. Importing it opens two connections.

The parameters and their values are the source's. Each comment says what a parameter does with
DBUtils 3.2 and PyMySQL. Two of the source's comments say something else (E2, E3); step 3c shows
what is right.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.pool_demo.settings import connect_args

POOL = PooledDB(
    creator=pymysql,  # the DB-API 2 module that opens connections
    maxconnections=6,  # borrowed at the same time, at most. 0: only the server has a limit
    mincached=2,  # idle connections at the start. Later the pool does not keep this number (E4)
    maxcached=5,  # idle connections to keep. 0: all of them
    maxshared=1,  # meant for connections with several borrowers. step3c tests it (E2, E3)
    blocking=True,  # whether a borrower waits at the maximum. There is no time-out
    maxusage=None,  # uses of a connection until it is replaced. None: no limit
    setsession=[],  # SQL to run once on each new connection, not at each checkout
    ping=0,  # when to check: 0 never, 1 at checkout, 2 at cursor(), 4 at execute(), 7 always
    **connect_args(),  # host, port (or unix socket), user, password, database, charset
)
