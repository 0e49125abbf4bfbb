"""A11: the source's private chat: a message goes to one nickname, and nobody else sees it."""

from flask import Flask, render_template

from demos.group_chat import names
from demos.group_chat.bucket import Bucket
from demos.group_chat.messages import SERVER, NotSaid, frame_of, read_object, text_in
from demos.group_chat.step4_nicknames import let_in
from demos.group_chat.websocket import WebSocket
from demos.private_chat.look import look

app = Flask(__name__)
app.url_map.converters["anything"] = names.Anything
app.register_blueprint(look)
sockets: dict[str, WebSocket] = {}  # nickname → its socket


@app.route("/ws")
def page() -> str:
    """The page of the chat."""
    return render_template("single_chat.html")


@app.route("/<anything:username>", websocket=True)
def chat(username: str) -> str:
    """The socket of one nickname."""
    let_in(username, sockets, listen)
    return ""  # Flask wants an answer; nobody reads it


def listen(username: str, socket: WebSocket) -> None:
    """Hand each message of this socket to the one it is for, until the socket closes."""
    bucket = Bucket(rate=10, burst=30)  # messages a second, and at once
    while (data := socket.receive()) is not None:
        try:
            if bucket.wait():
                raise NotSaid("too_fast", "At most 10 messages a second.")
            frame = read_object(data)
            hand_over(text_in(frame, "msg"), username, text_in(frame, "to_user"))
        except NotSaid as error:
            socket.send_frame(frame_of({"msg": error.reason, "from_user": SERVER}))


def hand_over(msg: str, from_user: str, to_user: str) -> None:
    """Send a message to one nickname.

    Raises:
        NotSaid: nobody with that nickname is here.
    """
    recipient = sockets.get(to_user)
    if not recipient:
        raise NotSaid("not_online", f"{to_user[:32]} is not online.")
    recipient.send_frame(frame_of({"msg": msg, "from_user": from_user}))
