"""Private chat (A11, B1, B3 to B6): from a nickname to an instant messenger.

Step 5 is the finished messenger, and step 6 runs it in several processes. Its features are
`accounts`, `conversations` and `friends`. `post` sends a message to its recipient, `mailbox` stores
it, and `switchboard` knows all open connections. `one_chat` is A11's program.
"""
