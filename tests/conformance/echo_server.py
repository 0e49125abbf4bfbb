"""Step 1's echo on our handler and frame layer, on a free port, with room for the suite's messages.

The suite sends messages of 16 MB, some of them in 65,536 fragments, and reads the answers when it
likes. So the limits that protect a chat are lifted here; everything else is as the steps run it.
"""

from gevent.pywsgi import WSGIServer

from demos.group_chat.connection import websocket
from demos.group_chat.connection.handler import WebSocketHandler
from demos.group_chat.step1_echo import app

ROOM = 64 << 20  # bytes
MANY = 1e9


class Handler(WebSocketHandler):
    """Our handler, for messages of up to ROOM bytes."""

    message_limit = ROOM


websocket.BACKLOG_LIMIT = ROOM
websocket.SMALL_FRAMES = (MANY, MANY)

server = WSGIServer(("127.0.0.1", 0), app, handler_class=Handler, log=None)
server.start()
print(f"ws://127.0.0.1:{server.server_port}/echo", flush=True)
server.serve_forever()
