"""The source's private chats, faults included, so that they can be shown and tested.

Nothing here is for use. Each module names its errata (W4, W6, ...) and where it is done right, and
behaves as the source does. What differs in all of them is said in group_chat/naive, whose
serving.py they use. SQL put together with %, and passwords in clear (E5, E13, E14), are in
pool_demo/naive.
"""
