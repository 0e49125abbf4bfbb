"""From one raw connection to a pooled CRUD class (sections A1 to A8, and B7).

The steps are numbered in the order of the lesson. Beside them are the modules that they teach:
`pool`, `ptpool` and `mysqlhelp`; and those that they need: `settings` (where the server is), `seed`
(the starting data), `witness` (what the server itself says) and `show` (the screen).
`naive` holds the source's faults.
"""
