"""Clients that provoke the faults of the source's private chats.

For step 5b and lesson 08.
"""
