"""What the source's code does, faults included, so that it can be shown, tested and measured.

Do not use this code. Each module names its errata (W1, W2, ...) and the module that is right. Each
behaves as the source does: the same frames, the same errors, the same connections. Only echo.py is
ours. All of them run with gevent-websocket's own handler, as in the source. Four things differ. A
socket's route has `websocket=True` (W1); only as_printed.py has it without. The servers listen only
on this machine. They do not print the messages. And their pages name an icon, so that no browser
asks for /favicon.ico, which in A10 and A11 is a nickname (W3).
"""
