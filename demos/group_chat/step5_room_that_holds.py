"""A10, B2: The finished room.

Source: A10 has the group chat with /ws and /<nickname>, and B2 has the room without names with
/chat and /ql. In the source they are two programs, and here they are one. Any number of pages can
join at any time.

See: the page shows who joins, who leaves and who is online. When you join, you get the last 50
messages. Your own message is marked as pending until the server has accepted it. If a nickname is
in use, the server refuses it, and the page says why.

Try: end this program with Ctrl-C and start it again while pages are open. Send wrong messages with
`python -m websockets ws://127.0.0.1:5000/Eve`. Stop the process of a page with kill -STOP.

New: step 4 works only with friendly visitors. chat.py is the program, and room.py is the room.
websocket.py is a connection whose `send` never waits. fan_out.py decides who receives what, and
limits.py has the limits. Options: --host, --port, --origin, --rate, --people, --proxies.
"""

from demos.group_chat.chat import main

if __name__ == "__main__":
    main()
