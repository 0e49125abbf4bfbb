"""A0: the notices of the board, each with its number, `nid`."""

NOTICES = {
    1: "Welcome. 欢迎。",
    2: "Singing on Friday at 7. 周五七点唱歌。",
    3: "Found: one glove, left. 拾到左手手套一只。",
}
