"""Clients that measure the room or provoke the source's faults.

For steps 4b and 5b, their lessons, and the faults of private chat.
"""
