"""A database server of a lesson's own, with room for few connections, for as long as a block lasts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from course.database import program, server
from course.ground.errors import CourseError, LessonError


@contextmanager
def small_server(connections: int) -> Iterator[dict[str, Any]]:
    """Start a server that takes so many connections; yield what `pymysql.connect` needs for it.

    The course's own server is left alone: there a full house would be felt by every program.

    Args:
        connections: the server's `max_connections`, 10 at least. It keeps one more for an administrator.

    Raises:
        LessonError: no server program is installed here, or it does not start; with cause and cure.
    """
    if program.find() is None:
        raise LessonError(
            "This cell starts a database server of its own, and no server program is installed here: "
            "read its kept output, or install MariaDB and run the cell again."
        )
    with tempfile.TemporaryDirectory(prefix="course-small-") as folder:
        try:
            lease = server.Lease(Path(folder) / "database")
        except CourseError as error:
            raise LessonError(str(error), error.details) from None
        with lease:
            arguments = _arguments(lease.status)
            _limit(arguments, connections)
            yield arguments


def _arguments(at: server.Status) -> dict[str, Any]:
    return {"host": at.host, "port": at.port, "user": at.user, "password": at.password}


def _limit(arguments: dict[str, Any], connections: int) -> None:
    import pymysql  # here, since `course` must start without any package

    with pymysql.connect(**arguments) as connection, connection.cursor() as cursor:
        cursor.execute("set global max_connections = %s", (connections,))
