"""A11: private chat by nickname: `python -m demos.private_chat.one_chat`, as the source calls it.

A message goes to one nickname, and no other client gets it.
"""

from flask import Flask, render_template

from demos.group_chat.connection.serving import serve
from demos.group_chat.connection.websocket import MESSAGE_LIMIT, WebSocket
from demos.group_chat.rules import names
from demos.group_chat.rules.bucket import Bucket
from demos.group_chat.rules.limits import BURST, RATE
from demos.group_chat.rules.messages import SERVER, NotSaid, json_of, read_object, text_in
from demos.group_chat.step4_nicknames import let_in
from demos.private_chat.web.shared_pages import shared_pages

app = Flask(__name__)
app.url_map.converters["anything"] = names.Anything
app.register_blueprint(shared_pages)
sockets: dict[str, WebSocket] = {}  # nickname → its socket


@app.route("/ws")
def page() -> str:
    """The page of the chat."""
    return render_template("single_chat.html", limit=MESSAGE_LIMIT)


@app.route("/<anything:username>", websocket=True)
def chat(username: str) -> str:
    """The socket of one nickname."""
    let_in(username, sockets, listen)
    return ""  # Flask wants an answer; nobody reads it


def listen(username: str, socket: WebSocket) -> None:
    """Hand each message of this socket to the one it is for, until the socket closes."""
    bucket = Bucket(RATE, BURST)
    while (data := socket.receive()) is not None:
        try:
            if bucket.wait():
                raise NotSaid("too_fast", f"At most {RATE:g} messages a second.")
            frame = read_object(data)
            hand_over(text_in(frame, "msg"), username, text_in(frame, "to_user"))
        except NotSaid as error:
            socket.send_utf8(json_of({"msg": error.reason, "from_user": SERVER}))


def hand_over(msg: str, from_user: str, to_user: str) -> None:
    """Send a message to one nickname.

    Raises:
        NotSaid: nobody with that nickname is here.
    """
    recipient = sockets.get(to_user)
    if not recipient:
        raise NotSaid("not_online", f"{to_user[: names.LENGTH]} is not online.")
    recipient.send_utf8(json_of({"msg": msg, "from_user": from_user}))


def main() -> None:
    """Serve the chat until Ctrl-C."""
    serve(app, page="ws")


if __name__ == "__main__":
    main()
