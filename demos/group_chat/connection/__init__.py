"""One connection: bytes become frames, a request becomes a WebSocket, and a server serves it.

For lesson 06, and for whoever asks what happens below a step.
"""
