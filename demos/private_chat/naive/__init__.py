"""The source's private chats, faults included, so that they can be shown and tested.

Do not use this code. Each module names its errata (W4, W6, ...) and the module that is right, and
behaves as the source does. group_chat/naive says what differs in all of them; they use its
serving.py. SQL built with %, and plain passwords (E5, E13, E14), are in pool_demo/naive.
"""
