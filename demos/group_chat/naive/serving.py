"""A10: The source's server: gevent's WSGIServer with gevent-websocket's handler."""

import argparse

from flask import Flask
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler


def serve(app: Flask, page: str) -> None:
    """Serve on 127.0.0.1 until killed; print the address of `page` when ready."""
    parser = argparse.ArgumentParser(description="the source's server, faults included")
    parser.add_argument("--port", type=int, default=5000, help="5000; 0: any free one")
    server = WSGIServer(
        ("127.0.0.1", parser.parse_args().port), app, handler_class=WebSocketHandler
    )
    server.start()
    print(f"Open http://127.0.0.1:{server.server_port}/{page}", flush=True)
    server.serve_forever()
