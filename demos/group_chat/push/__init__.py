"""Step 2's other half: the source of its messages, its clients, and what an open line costs.

For lesson 06.
"""
