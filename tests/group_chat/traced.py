"""A finished chat with a note of each write: `python -m tests.group_chat.traced FILE MODULE OPTIONS...`.

MODULE is below `demos`, such as `group_chat.chat`.

At its end it writes to FILE, as JSON, `writes`: for each frame or batch of frames the turn of the event loop, the port
of the client, and the bytes; and `encoded`: how often a message was made JSON. In one turn of the event loop nobody
else is heard.
"""

import gc
import json
import sys
from importlib import import_module
from pathlib import Path

file, module = Path(sys.argv.pop(1)), sys.argv.pop(1)
chat = import_module(f"demos.{module}")  # first: it patches the standard library

from demos.group_chat.rules import messages  # noqa: E402 # isort: skip
from demos.group_chat.connection import turns, websocket  # noqa: E402 # isort: skip
from gevent import get_hub  # noqa: E402 # isort: skip

turn = encoded = 0
writes = []


def _next_turn():
    global turn
    turn += 1


def _note(socket, size):
    writes.append((turn, int(socket.peer.rpartition(":")[2]), size))


def _note_writes(use):
    """Note what the kernel takes."""

    def noted(self, sock):
        use(self, sock)
        write = self._write

        def noting(frame):
            sent = write(frame)
            _note(self, sent)
            return sent

        self._write = noting

    return noted


def _note_rests(queue):
    """Note what the kernel does not take, and what comes behind that."""

    def noted(self, rest):
        _note(self, len(rest))
        return queue(self, rest)

    return noted


def _count_json(json_of):
    def counted(content):
        global encoded
        encoded += "msg" in content
        return json_of(content)

    return counted


def main():
    # So a quick machine, too, needs several turns for what a test lets it write.
    turns.LENGTH /= 10
    websocket.WebSocket.use = _note_writes(websocket.WebSocket.use)
    websocket.WebSocket._queue = _note_rests(websocket.WebSocket._queue)
    messages.json_of = _count_json(messages.json_of)
    watcher = get_hub().loop.check()  # called whenever the loop has looked at the sockets
    watcher.start(_next_turn)
    chat.main()
    found = {"writes": writes, "encoded": encoded, "frozen": gc.get_freeze_count()}
    file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
