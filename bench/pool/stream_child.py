"""Streams many rows with `MysqlHelp.stream` and prints what memory that took, as JSON.

It runs in a process of its own, because a process remembers only the most it ever had.
"""

import json
import re
import resource
import sys
import time
from pathlib import Path

from demos.pool_demo.mysqlhelp import MysqlHelp

_DIGITS = "(" + " union all ".join(f"select {digit} as n" for digit in range(10)) + ")"


def rows_sql(digits: int) -> str:
    """Return a query with 10 ** `digits` rows, which the server makes up as it sends them."""
    tables = [f"{_DIGITS} d{place}" for place in range(digits)]
    number = " + ".join(f"d{place}.n * {10**place}" for place in range(digits))
    return (
        f"select {number} as id, '韩雪' as name, 24 as age, '女' as gender from {', '.join(tables)}"
    )


def peak() -> float:
    """Return the most memory this process ever had, in MB of a million bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; its ru_maxrss begins with that of the process that started us
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(found[1]) * 1024 / 1e6 if found else 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Read one row as usual; then stream, and see what that added."""
    db = MysqlHelp()
    db.selectone("select 1 as one")
    before, began, count = peak(), time.perf_counter(), 0
    with db.stream(rows_sql(int(sys.argv[1]))) as rows:
        for row in rows:
            count += len(row) > 0
    seconds = time.perf_counter() - began
    after = peak()
    db.close()
    print(json.dumps({"rows": count, "growth": after - before, "peak": after, "seconds": seconds}))
