"""Your reconnecting page, after lesson 08: a script in a real browser."""
