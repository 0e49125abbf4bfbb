"""Who is here and what was said: in one process, or in several that share it through Redis.

For lessons 07 and 11.
"""
