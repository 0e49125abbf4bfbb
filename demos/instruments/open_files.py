"""How many files and connections a process may have open: a server or a load client needs many."""

import contextlib

FILES = 65_536  # open files and connections, if the system allows so many; the usual 1,024 is few


def open_many_files() -> None:
    """Raise this process's limit of open files to its maximum; each connection needs one."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
