"""Private chat (A11, B1, B3 to B6): from a nickname to an instant messenger."""
