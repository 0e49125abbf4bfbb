"""The group chat from an empty file: its judge."""

from tests.support.judging import ChatOfTheSource


class TestGroupChat(ChatOfTheSource):
    names = ("group_chat",)
