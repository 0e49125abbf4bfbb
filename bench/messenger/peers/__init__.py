"""What the finished messenger is measured against: the same stack with another post in it.

`python -m bench.messenger.peers NAME --port 0` runs one and prints its address. `no_storage` hands
messages over and asks no database: the ceiling. `commit_each` opens a connection for each
message, as A3 does for a row, and `commit_in_turn` does so for one message at a time.
"""

MOST = 100  # connections at a time; a server allows 151 as it comes, and would refuse the others
