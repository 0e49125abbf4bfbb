"""Programs that break one sentence each of the private chat: more for its goals to see."""

import sys

from course.build import Mutant
from lessons.authors.builds.program import begins_with

STORED = "            (sender.id, friend.id, client_id, msg),"
RETURNED = f"{STORED}\n        )\n        return int(number), True"


def _sends_inside(who: str) -> Mutant:
    """Tell one of the two before the commit: inside the transaction that stores the message."""
    return Mutant(
        [
            (
                "        number = db.insert(",
                '        db.selectone("select 1 from messages where client_id=%s", [client_id])\n'
                "        with db.transaction():\n          number = db.insert(",
            ),
            (
                RETURNED,
                f"{STORED}\n          )\n          for tab in list(tabs.get({who}.id, ())):\n"
                '            tab.tell(type="message", id=number, to=friend.name, msg=msg,\n'
                '                client_id=client_id, **{"from": sender.name})\n'
                "          gevent.sleep(0)\n        return int(number), True",
            ),
        ],
        "is not in the table",
    )


LETS_USERS_IN = [
    begins_with("import demos.private_chat.friends", says="imports demos.private_chat.friends"),
    begins_with(
        "import runpy\nrunpy.run_module('demos.private_chat.step5_offline', None, '__main__')",
        says="your program uses demos.private_chat",
    ),
    Mutant([(", handler_class=WebSocketHandler", "")], "handler_class=WebSocketHandler"),
    Mutant(
        [("(origin and urlsplit(origin).netloc != request.host)", "origin")],
        "a page of the chat itself",
    ),
    Mutant([('@app.get("/login")', '@app.get("/form")')], "GET /login"),
]

LETS_NOBODY_ELSE_IN = [
    Mutant(
        [("urlsplit(origin).netloc != request.host", "request.host not in origin")],
        "elsewhere.example gets no socket",
    ),
    Mutant(
        [
            (
                "urlsplit(origin).netloc != request.host",
                'not origin.startswith("http://127.0.0.1:")',
            )
        ],
        "gets no socket",
    ),
    Mutant(
        [
            (
                "urlsplit(origin).netloc != request.host",
                'urlsplit(origin).netloc not in ("", request.host)',
            )
        ],
        "a page of null",
    ),
    Mutant(
        [("app.secret_key = secrets.token_bytes()", 'app.secret_key = "secret"')],
        "signed with the key 'secret'",
    ),
    Mutant(
        [
            (
                '    session.clear()\n    session.update(id=found["id"], '
                'name=found["name"])\n    return redirect("login")',
                '    answer = redirect("login")\n    answer.set_cookie("user", '
                "f\"{found['id']}|{quote(name)}\")\n    return answer",
            ),
            (
                "    origin = request.headers",
                '    session.update(zip(("id", "name"), request.cookies.get("user", '
                '"").split("|")))\n    if "id" in session:\n        '
                'session.update(id=int(session["id"]), name=unquote(session["name"]))\n    '
                "origin = request.headers",
            ),
            (
                "from urllib.parse import urlsplit",
                "from urllib.parse import quote, unquote, urlsplit",
            ),
            ('"id" not in session', '"name" not in session'),
        ],
        "she was another user",
    ),
    Mutant(
        [
            (
                '"select id, name, password from userinfo where name = %s", (name,)',
                '"select id, name, password from userinfo where name = \'" + name + "\'"',
            )
        ],
        "expected 401",
    ),
]

DELIVERS = [
    Mutant([('"to": friend.name, "msg": msg}', '"to": to, "msg": msg}')], "'舒畅 '"),
    Mutant(
        [
            (
                'session.update(id=found["id"], name=found["name"])',
                'session.update(id=found["id"], name=name)',
            )
        ],
        "'韩雪 '",
    ),
    Mutant(
        [
            (
                "    for user in (sender, friend) if is_new",
                "    for there in tabs.values():\n        for tab in list(there):\n         "
                '   tab.tell(type="typing", text=msg)\n    for user in (sender, friend) if '
                "is_new",
            )
        ],
        "is not hers",
    ),
    Mutant([('{"id": number, "from"', '{"number": number, "from"')], "`id` that is a number"),
    Mutant(
        [
            (
                "self.socket.send(self.queue.get())",
                "self.socket.send(self.queue.get().encode(), binary=True)",
            )
        ],
        "a binary frame",
    ),
    Mutant(
        [('tab.tell(type="message"', 'tab.tell(type="text"')], "and its `type` is not 'message'"
    ),
]

REFUSES = [
    Mutant(
        [("and f.state = 'accepted'", "and f.state <> 'requested'")], "they are friends no more"
    ),
    Mutant(
        [
            (
                "    friend = friend_of(sender, to) if texts else None\n",
                "    if texts and (sender, to) not in KNOWN:\n        KNOWN[sender, to] = "
                "friend_of(sender, to)\n    friend = KNOWN.get((sender, to)) if texts else "
                "None\n",
            ),
            ("tabs: dict[", "KNOWN: dict[object, Any] = {}\ntabs: dict["),
        ],
        "they are friends no more",
    ),
    Mutant(
        [
            ("is_text(msg, 4000)", "is_text(msg, 5000)"),
            (
                "(sender.id, friend.id, client_id, msg),",
                "(sender.id, friend.id, client_id, str(msg)[:4000]),",
            ),
        ],
        "4001 characters",
    ),
    Mutant(
        [
            ("is_text(client_id, 36)", "is_text(client_id, 64)"),
            (
                "(sender.id, friend.id, client_id, msg),",
                "(sender.id, friend.id, str(client_id)[:36], msg),",
            ),
        ],
        "for the client_id 'cccc",
    ),
    Mutant([("bool(text.encode())", "True")], "half a character"),
    Mutant(
        [
            (
                '        mine.tell(type="error", reason="Write to a friend',
                "        for other in list(tabs):\n            for tab in "
                'list(tabs[other]):\n                tab.tell(type="refused", text=msg)\n   '
                '     mine.tell(type="error", reason="Write to a friend',
            )
        ],
        "is not hers",
    ),
]
if sys.version_info < (3, 14):  # which reads 10,000 brackets, and 16 KB hold few more
    REFUSES.append(
        Mutant(
            [("suppress(ValueError, RecursionError)", "suppress(ValueError)")], "(10000 characters)"
        )
    )

STORES_BEFORE_IT_ACKNOWLEDGES = [
    _sends_inside("sender"),
    _sends_inside("friend"),
    Mutant(
        [
            (
                '        mine.tell(type="error", reason="The database is away.", '
                "client_id=client_id)\n        return",
                "        number, is_new = 0, True",
            )
        ],
        "the database refuses it",
    ),
    Mutant(
        [
            (
                '        mine.tell(type="error", reason="The database is away.", '
                "client_id=client_id)\n",
                "",
            )
        ],
        "the database refuses it",
    ),
    Mutant(
        [
            (
                "(sender.id, friend.id, client_id, msg),",
                "(sender.id, friend.id, client_id, str(msg).strip()),",
            )
        ],
        "stored as another text",
    ),
    Mutant(
        [
            (
                "(sender.id, friend.id, client_id, msg),",
                "(sender.id, friend.id, client_id, str(msg)[:1000]),",
            )
        ],
        "stored as another text",
    ),
]

SERVES_ALL_TABS = [
    Mutant(
        [
            (
                "for tab in list(tabs.get(user.id, ()))",
                "for tab in list(tabs.get(user.id, ()))[:2]",
            )
        ],
        "nothing came to",
    ),
    Mutant([("        tabs[me.id].discard(mine)", "        tabs.pop(me.id, None)")], "'一个窗口'"),
    Mutant(
        [("self.queue.put(json.dumps(frame))", "self.socket.send(json.dumps(frame))")],
        "reads nothing",
    ),
    Mutant(
        [
            (
                "        self.waiting.append(frame)\n        self.go_on()",
                "        self.waiting.append(frame)\n        self._send_all()",
            )
        ],
        "reads nothing",
        of="second",
    ),
    Mutant([("        tabs[me.id].discard(mine)", "        pass")], "a tab that has left"),
]

KEEPS_FOR_WHO_IS_AWAY = [
    Mutant(
        [
            (" and recipient_id = %s and delivered_at is null", ""),
            ("(number, user.id),", "(number,),"),
        ],
        "they count as confirmed",
    ),
    Mutant([("| None = []", "| None = None")], "在路上"),
    Mutant(
        [
            (
                "mine.release(kept_for(me))",
                "mine.release(kept_for(me) if len(tabs[me.id]) == 1 else [])",
            )
        ],
        "second tab",
    ),
    Mutant(
        [
            (
                "m.recipient_id = %s and m.delivered_at",
                "m.recipient_id > 0 * %s and m.delivered_at",
            )
        ],
        "is not hers",
    ),
]

STORES_WHAT_COMES_AGAIN_ONCE = [
    Mutant(
        [
            (
                'where sender_id = %s and client_id = %s",\n        (sender.id, client_id),',
                'where client_id = %s",\n        (client_id,),',
            ),
            (
                "        number = db.insert(",
                '        if db.selectone("select id from messages where client_id = %s", '
                "(client_id,)):\n            raise pymysql.IntegrityError(ER.DUP_ENTRY, "
                '"")\n        number = db.insert(',
            ),
            (
                '    if (row["recipient_id"], row["body"]) != (friend.id, msg):\n        '
                "raise Taken\n",
                "",
            ),
        ],
        "two users",
    ),
    Mutant(
        [
            (
                '    if (row["recipient_id"], row["body"]) != (friend.id, msg):\n        '
                "raise Taken\n",
                "",
            )
        ],
        "another text",
    ),
    Mutant(
        [('(row["recipient_id"], row["body"]) != (friend.id, msg)', 'row["body"] != msg')],
        "another friend",
    ),
    Mutant(
        [
            (
                "        number = db.insert(",
                '        if db.selectone("select id from messages where sender_id = %s and '
                'body = %s", (sender.id, msg)):\n            return 1, False\n        '
                "number = db.insert(",
            )
        ],
        "one text twice",
    ),
    Mutant(
        [
            ("        if error.args[0] != ER.DUP_ENTRY:\n            raise", "        raise"),
            (
                "        number = db.insert(",
                '        if row := db.selectone("select id, recipient_id, body from '
                'messages where sender_id = %s and client_id = %s", (sender.id, '
                'client_id)):\n            if (row["recipient_id"], row["body"]) != '
                "(friend.id, msg):\n                raise Taken\n            return "
                'int(row["id"]), False\n        number = db.insert(',
            ),
        ],
        "at the same time",
    ),
]

WAITS_ALONE = [
    Mutant([("db = MysqlHelp()", "db = MysqlHelp(connections=1)")], "cannot log in"),
    Mutant(
        [
            ("import gevent\n", "import gevent\nfrom gevent.lock import RLock\n"),
            ("tabs: dict[", "LOCK = RLock()\ntabs: dict["),
            (
                "        number, is_new = store(",
                "        with LOCK:\n            number, is_new = store(",
            ),
        ],
        "one slow INSERT stops all",
    ),
]
