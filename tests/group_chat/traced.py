"""The finished chat with a note of each write: `python -m tests.group_chat.traced FILE OPTIONS...`.

At its end it writes to FILE, as JSON, `writes`: for each frame or batch of frames the turn of the event loop, the port
of the client, and the bytes; and `encoded`: how often a message was made a frame. In one turn of the event loop nobody
else is heard.
"""

import json
import sys
from pathlib import Path

from demos.group_chat import chat  # first: it patches the standard library

from demos.group_chat import messages, websocket  # isort: skip
from gevent import get_hub  # isort: skip

turn = encoded = 0
writes = []


def _next_turn():
    global turn
    turn += 1


def _note_writes(send_frame):
    def noted(self, frame):
        writes.append((turn, int(self.peer.rpartition(":")[2]), len(frame)))
        return send_frame(self, frame)

    return noted


def _count_frames(frame_of):
    def counted(content):
        global encoded
        encoded += "msg" in content
        return frame_of(content)

    return counted


def main():
    file = Path(sys.argv.pop(1))
    websocket.WebSocket.send_frame = _note_writes(websocket.WebSocket.send_frame)
    messages.frame_of = _count_frames(messages.frame_of)
    watcher = get_hub().loop.check()  # called whenever the loop has looked at the sockets
    watcher.start(_next_turn)
    chat.main()
    file.write_text(json.dumps({"writes": writes, "encoded": encoded}))


if __name__ == "__main__":
    main()
