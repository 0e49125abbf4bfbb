"""The source's code, faults included, so that they can be shown, tested and measured.

Nothing here is for use. Each module names its errata (W1, W2, ...) and where it is done right, and
behaves as the source does: the same frames, the same errors, the same connections. They run over
gevent-websocket's own handler, as in the source. Three things differ in all of them: a socket's
route has `websocket=True` (W1), they listen on this machine only, and they do not print what they
hear.
"""
