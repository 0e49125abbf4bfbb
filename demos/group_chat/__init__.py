"""Group chat over WebSocket (A9, A10, B2): from one echo to the finished room.

`chat` is the finished program. `room` is the room that it serves. `fan_out` sends each message to
all members. `connection` has the WebSocket server of both chats. `rules` says which messages and
names are allowed. `memory` stores who is online and the last messages.
"""
