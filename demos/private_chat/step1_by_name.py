"""A11: By name: a message for one person.

Source: A11's one_chat.py has the page /ws, and a socket at /<username>. A client sends
{"msg": text, "to_user": name}; only that user receives {"msg": text, "from_user": name}.

See: open the page in three tabs with three nicknames. Write from one to another: the third sees
nothing. Write to somebody who is not there: the page says so.

Try: claim to be somebody else in the frame. Take a nickname twice. Send a list as `to_user`.

New: the group chat sent to everyone but one; this sends to one. A nickname is still only a word:
whoever comes first has it, and nothing is kept. The steps from here on mend that.
"""

from demos.group_chat.serving import serve
from demos.private_chat.one_chat import app

if __name__ == "__main__":
    serve(app, page="ws")
