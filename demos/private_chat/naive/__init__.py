"""The source's private chats, faults included, so that they can be shown and tested.

Nothing here is for use. Each module names its errata (W4, W6, ...) and where it is done right. They
run over gevent-websocket's own handler, as in the source, by the group chat's naive/serving.py.
SQL put together with %, and passwords in clear (E5, E13, E14), are in pool_demo/naive.
"""
