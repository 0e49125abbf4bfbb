"""Your pool, after lesson 05: a class of some forty lines, judged by what the server sees of it."""
