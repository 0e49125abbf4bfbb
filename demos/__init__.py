"""The demos: small programs that show one thing each against a real server.

Each file `stepN_...` is a program: `python -m demos.pool_demo.step2_borrow_and_return`.
"""

import importlib.util
import sys

# Another Python than the course's own would end in a traceback about the first package it lacks.
if not all(map(importlib.util.find_spec, ("flask", "gevent", "pymysql"))):
    sys.exit(
        f"This Python ({sys.executable}) does not have the course's packages: use .venv/bin/python "
        "in the course's folder, which `python3 -m course setup` makes."
    )
