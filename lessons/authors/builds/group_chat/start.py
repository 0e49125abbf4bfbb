"""Your group chat.

The judge starts this file as `python group_chat.py --port N`. It then talks to 127.0.0.1, port N.
It ends the program with SIGTERM, also while clients are connected; Python ends by itself then, if
you do not catch the signal. From goal 4 on, a traceback in what the program prints is a fault, also
if the chat goes on.

- A client connects a WebSocket to `/<nickname>`, for example `/韩雪`. The address has the name in
  percent-encoded UTF-8, as all addresses have.
- The client sends text: JSON such as {"username": "韩雪", "msg": "你好"}.
- Everybody else, however many they are, receives text: JSON with exactly these two keys, and `msg`
  as it was sent, with its blanks. Bytes (a binary frame) are never passed on and never sent.
- A text of more than 16,384 bytes (UTF-8, all of the JSON counted) is not passed on. One of 16,384
  bytes is.
- A speaker can say 30 lines at once; then 10 a second. After three seconds of silence it is 30
  again. The 31st line at once is not passed on.
- If the server has something to say to one client, it sends {"username": "服务器", "msg": "..."}.
- Who comes with a name that is in use is turned away: after the handshake the server sends a close
  frame with code 4409 and a reason in words. For the name 服务器 the code is 4400. Whether `Ann`
  and `ann` are one name is your choice.
- A page of another site is turned away by a refused handshake (403) or by a close frame. The header
  Origin is there only if a page connects; it has to name your own host and port exactly.

A server with Flask and gevent looks like this. When the view returns, the connection is closed.

    import argparse
    from flask import Flask, request
    from gevent.pywsgi import WSGIServer
    from geventwebsocket.handler import WebSocketHandler

    app = Flask(__name__)

    @app.route("/<name>", websocket=True)
    def chat(name):
        socket = request.environ["wsgi.websocket"]
        ...
        return ""

    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--port", type=int, required=True)
        port = parser.parse_args().port
        address = ("127.0.0.1", port)
        WSGIServer(address, app, handler_class=WebSocketHandler, log=None).serve_forever()

The library geventwebsocket has two faults which the course's own server has not. Its
`close(code, reason)` does not send the code. Send the close frame like this, and let the view end:

    socket.send_frame(code.to_bytes(2, "big") + reason.encode(), socket.OPCODE_CLOSE)

And two greenlets must not write to one socket at the same time: gevent then raises
ConcurrentObjectUseError. `receive()` writes, too, when it answers a ping or a close. If another
greenlet sends to that socket, let them write in turn (Semaphore is in gevent.lock):

    lock, write = Semaphore(), socket.raw_write

    def in_turn(data):
        with lock:
            write(data)

    socket.raw_write = in_turn

The judge's clients are called 韩雪 (Han Xue), 舒畅 (Shu Chang), 唐嫣 (Tang Yan), 小甜甜 (Xiao
Tiantian) and 杨颖 (Yang Ying). `judge0`, `judge1` and so on say `knock knock` until a newcomer
hears it. `slow` does not read. `member0`, `guest0` and others fill the room.

You may import the standard library, flask, gevent, geventwebsocket and websockets. Do not import or
start the finished rooms in demos/group_chat: what they do is what you build. Look at them as often
as you like. A page is not needed, and is not judged.
"""
