"""The private chat from an empty file: its judge."""

from tests.support.judging import Chat


class TestPrivateChat(Chat):
    names = ("private_chat",)
