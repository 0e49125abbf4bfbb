"""A10, B1: Several processes, one room.

Source: B1 says that the map from user to socket could move to Redis. It has no code for this.

See: two processes serve two addresses. Open a page at each of them, and chat as in one room. Both
pages show the same people. A nickname that is in use in one process is refused in the other.

Try: end one of the two with kill -9 and its number. Within ten seconds the other page says who has
left. Start the step again with a Redis of your own, which REDIS_URL names: the last messages are
still there. Stop that Redis, chat in each process, and start it again.

New: in step 5, the names and the history were in dictionaries (one_process.py). Here they are in
Redis (many_processes.py), which REDIS_URL names. chat.py is the same, and this file only starts it
twice. `python3 -m course step` starts a Redis for as long as the step runs.
"""

import os
import signal
import subprocess
import sys

from demos.group_chat.connection.serving import PORT

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
PROCESSES = 2


def main() -> int:
    """Start the processes, wait for them, and return the worst of their exit codes."""
    command = [sys.executable, "-m", "demos.group_chat.chat", "--redis", REDIS_URL]
    ports = sys.argv[1:] or [str(PORT + number) for number in range(PROCESSES)]
    processes: list[subprocess.Popen[bytes]] = []
    received: list[int] = []

    def pass_on(number: int, _: object) -> None:
        received.append(number)
        for process in processes:
            process.send_signal(number)

    # Ctrl-C reaches all of them by itself; a SIGTERM has to be passed on.
    signal.signal(signal.SIGTERM, pass_on)
    for port in ports:
        processes.append(subprocess.Popen([*command, "--port", port]))
        print(f"Process {processes[-1].pid} has started.", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if received:  # it came before all were there
        pass_on(signal.SIGTERM, None)
    return max(abs(process.wait()) for process in processes)


if __name__ == "__main__":
    sys.exit(main())
