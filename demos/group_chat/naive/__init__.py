"""The source's code, faults included, so that they can be shown, tested and measured.

Nothing here is for use. Each module names its errata (W1, W2, ...) and where it is done right. They
run over gevent-websocket's own handler, as in the source.
"""
