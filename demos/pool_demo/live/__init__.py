"""A pool, watched while it works: the timeline of step 3i, the page and the load of step 8.

Read it if you show a pool to a class, or if you change that page.
"""
