"""The finished room against what a user would pick instead: `python -m bench.chat`."""
