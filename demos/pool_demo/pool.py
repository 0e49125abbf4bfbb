"""A4: the module that creates the pool. Importing it opens two connections.

Parameters and values are the source's. The comments say what they do with DBUtils 3.2 and PyMySQL;
two of the source's comments say something else (E2, E3), and step 3c shows who is right.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.pool_demo.settings import connect_args

POOL = PooledDB(
    creator=pymysql,  # the DB-API 2 module that opens connections
    maxconnections=6,  # borrowed ones at most. 0: none but the server's own (error 1040)
    mincached=2,  # opened now. Nothing keeps the number up later (E4)
    maxcached=5,  # idle ones kept. One that is returned beyond that is closed. 0: keep all
    maxshared=1,  # no effect: PyMySQL's threadsafety is 1, so nothing is shared (E2, E3)
    blocking=True,  # at the maximum: wait, with no time-out. False: raise an error
    maxusage=None,  # statements (not checkouts) until a connection is replaced. None: no limit
    setsession=[],  # SQL to run once on each new connection, not at each checkout
    ping=0,  # check a connection: 0 never, 1 at checkout, 2 at cursor(), 4 at execute(), 7 always
    **connect_args(),  # host, port (or unix socket), user, password, database, charset
)
