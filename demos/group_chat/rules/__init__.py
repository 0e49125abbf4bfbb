"""Rules for messages: who may send, how often, and in which format. No file here uses a socket.

Lessons 07 and 11 use these rules. Private chat uses the rules for names, the token buckets, and the
functions that read frames.
"""
