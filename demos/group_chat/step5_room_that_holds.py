"""A10, B2: A room that holds.

Source: A10's group chat, /ws with /<nickname>, and B2's room without names, /chat with /ql. They
are two programs there, and one here. Any number of pages can join at any time.

See: joins, leaves and a roster, live; the last 50 messages when you come in; your own messages
turning from pending to said. A nickname that is taken is refused, and the page says why.

Try: end this program with Ctrl-C and start it again while pages are open. Send junk with
`python -m websockets ws://127.0.0.1:5000/Eve`. Stop a page's process with kill -STOP.

New: step 4 held as long as its visitors were kind. chat.py is the program, room.py the room,
websocket.py the connection that waits for nobody, fan_out.py who hears what, limits.py how much.
Options: --host, --port, --origin, --rate, --people, --proxies.
"""

from demos.group_chat.chat import main

if __name__ == "__main__":
    main()
