"""The demos: small programs that show one thing each against a real server.

Each file `stepN_...` is a program: `python -m demos.pool_demo.step2_borrow_and_return`.
"""
