"""The switchboard of several processes, which share it through Redis.

For lesson 11 and step 6.
"""
