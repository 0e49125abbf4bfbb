"""A0: one small Flask app, a notice board, with all topics of the day before.

Its templates are in `pages` and its static files in `assets`, because A0 shows how to name
other folders.
"""
