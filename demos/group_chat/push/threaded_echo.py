"""A9: step 1's echo on a server that has threads, to compare what an open line costs in each.

python -m demos.group_chat.push.threaded_echo --port 0

The source says that servers of threads cannot serve WebSockets. This one does, by the `websockets`
package: each line has threads of its own, which wait. Compression and heartbeat, which it offers,
are off, so that the two servers do the same.
"""

from websockets.sync.server import ServerConnection, serve

from demos.group_chat.connection.serving import options


def echo(line: ServerConnection) -> None:
    """Send each message back until the other end closes."""
    for message in line:
        line.send(message)


def main() -> None:
    """Serve until Ctrl-C or SIGTERM."""
    chosen = options("threaded_echo").parse_args()
    at = (chosen.host, chosen.port)
    with serve(echo, *at, compression=None, ping_interval=None) as server:
        host, port = server.socket.getsockname()[:2]
        print(f"Connect to http://{host}:{port}/echo (Ctrl-C stops it)", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
