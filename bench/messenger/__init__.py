"""The messenger, its ceiling, and a connection for each message: `python -m bench.messenger`."""
