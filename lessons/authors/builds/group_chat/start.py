"""Your group chat.

The judge starts this file as `python group_chat.py --port N`. It then talks to 127.0.0.1, port N.
In the end it sends SIGTERM, and the program has to end. From goal 4 on, a traceback in what the
program prints is a fault, also if the chat goes on.

- A client connects a WebSocket to `/<nickname>`, for example `/韩雪`. The address has the name in
  percent-encoded UTF-8, as all addresses have.
- The client sends text: JSON such as {"username": "韩雪", "msg": "你好"}.
- Everybody else receives text: JSON with exactly these two keys.
- A text of more than 16 KB (16,384 bytes of UTF-8, all of the JSON counted) is not passed on.
- If the server has something to say to one client, it sends {"username": "服务器", "msg": "..."}.

You may import the standard library, flask, gevent, geventwebsocket and websockets. Do not import
the finished rooms in demos/group_chat: what they do is what you build. Look at them as often as you
like. A page is not needed, and is not judged.
"""
