"""The load client of the chat benchmark: one process that plays all clients of any server.

`python -m bench.chat.load --help` measures a server that is running.
"""
