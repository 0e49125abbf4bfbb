"""The servers that a user would pick instead, each written as its documentation shows.

`python -m bench.chat.peers NAME --port 0` runs one and prints its address. All do the same work: a
client's message is JSON, and everyone but its sender receives `{"username": ..., "msg": ...}`.
"""
