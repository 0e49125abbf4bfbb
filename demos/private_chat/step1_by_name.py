"""A11: By name: a message for one person.

Source: A11's one_chat.py has the page /ws, and a socket at /<username>. A client sends {"msg":
text, "to_user": name}, and only that user receives {"msg": text, "from_user": name}.

See: open the page in three tabs with three nicknames. Write from one to another: the third sees
nothing. Write to a nickname that nobody has: the page says so.

Try: write another name into the frame as its sender. Join twice with the same nickname. Send a list
as `to_user`.

New: the group chat sends a message to all other clients, and this step sends it to one. A nickname
proves nothing: anybody can take a free one. The server stores nothing. The next steps change both.
"""

from demos.private_chat.one_chat import main

if __name__ == "__main__":
    main()
