"""From one raw connection to a pooled CRUD class (sections A1 to A8, and B7).

The steps are numbered in the order of the lessons. Beside them are the modules that they teach:
`pool`, `ptpool` and `mysqlhelp`. They also need `settings` (where the server is, for all demos),
`seed` (the starting data) and `where`. `lending` has the parts of `mysqlhelp`, `compared` the ways
of step 6, `live` the page of step 8, and `naive` the source's faults.
"""
