"""What the tests of private_chat share: the seed, and servers of one file that have the same users and key.

`start` and `shared` are those of tests/servers.py. A file has one database, restored at its beginning; a test that
changes what others look at takes `book` as well, or users of its own (people.py: `newcomer`).
"""

import pytest

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.seed import restore


@pytest.fixture(scope="module", autouse=True)
def _surroundings(database):
    """The seed, and a secret key for cookies, so that nothing is written beside the student's own."""
    restore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", "the tests' own")
        yield
    MysqlHelp.close_all()
