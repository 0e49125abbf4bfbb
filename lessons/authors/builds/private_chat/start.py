"""Your private chat, with messages for those who are away.

The judge starts this file as `python private_chat.py --port N`. It then talks to 127.0.0.1, port N.
In the end it sends SIGTERM, and the program has to end. In between it may end it with `kill -9`.
From goal 4 on, a traceback in what the program prints is a fault, also if the chat goes on.

A route with `websocket=True` needs this server; `request.environ["wsgi.websocket"]` comes from it:

    from gevent.pywsgi import WSGIServer
    from geventwebsocket.handler import WebSocketHandler
    port = int(sys.argv[2])
    WSGIServer(("127.0.0.1", port), app, handler_class=WebSocketHandler).serve_forever()

The log-in. `GET /login` answers with a page. `POST /login` has the form's fields `username` and
`password`. If both are right, the answer is a redirect (302 or 303) and sets a cookie; else 401. If
your page has a hidden field `csrf_token`, the judge sends it back. Nobody can make
the cookie of another user: it is signed with a key that cannot be guessed (app.secret_key).

The socket is `/single_ws`. The cookie says whose it is. One user may have several: one in each tab.
If the header Origin is there, it has to name your own server with its port; else nobody gets in.
All frames are JSON texts, and none is binary. The client sends

    {"to": "舒畅", "msg": "你好", "client_id": "a1"}     a message; the client makes the id
    {"got": [17, 18]}                                  these messages have arrived here

and the server sends

    {"type": "message", "id": 17, "from": "韩雪", "to": "舒畅", "msg": "你好", "client_id": "a1"}
    {"type": "error", "reason": "...", "client_id": "a1"}        this was not said

A message goes to all sockets of both users, and to nobody else; it is stored as it was sent, and
has their names as userinfo has them (MySQL also finds 韩雪 for a name with a blank behind it). For
the sender it is the acknowledgement: the row is committed in the table `messages`, and `id` is its
id. A socket that opens first receives all messages to its user that nobody has confirmed with `got`
(`delivered_at` is null), in order of the id; what is sent to her meanwhile comes after them.

The answer is an error, and the socket stays open, if the two are not friends (a friendship may end
at any time), if the database refuses the row, and for junk: no JSON object, brackets ten thousand
deep, `to`, `msg` or `client_id` that is no text or is empty, a `msg` of more than 4000 characters,
a `client_id` of more than 36, half a character (a lone surrogate). The same frame sent again is
acknowledged again, also from another tab at the same moment. A `client_id` that this user has used
for another text or another friend is an error. Two users may use the same one.

Nobody waits for somebody else. If a page reads nothing until its connection is full, all other
pages go on, also those of the same user. A socket that is closed is forgotten: nothing is kept for
it in memory. While the INSERT of one message waits for its answer, messages of others are stored,
or they wait and one INSERT stores several of them (lesson 10, section 10).

You may send frames of other types. They must not tell anybody what is not hers.

The tables userinfo, friendships and messages are in sql/seed.sql. The password of all users there
is `let-me-learn`; werkzeug.security.check_password_hash compares. The database is where
demos.pool_demo.settings.connect_args() says. You may import the standard library, flask, werkzeug,
gevent, geventwebsocket, pymysql, dbutils and demos.pool_demo (MysqlHelp). Do not import or start
demos.private_chat: what it does is what you build.
"""
