"""A0: one small Flask app, a notice board, with all that the day before was about."""
