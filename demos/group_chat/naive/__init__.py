"""What the source's code does, faults included, so that it can be shown, tested and measured.

Nothing here is for use. Each module names its errata (W1, W2, ...) and where it is done right, and
behaves as the source does, but for echo.py, which is ours: the same frames, the same errors, the
same connections. They run over gevent-websocket's own handler, as in the source. Four things
differ: a socket's route has `websocket=True` (W1; as_printed.py has it without), they listen on
this machine only, they do not print what they hear, and their pages name an icon, so that no
browser asks for /favicon.ico, which in A10 and A11 is a nickname (W3).
"""
