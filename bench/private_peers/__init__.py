"""What the finished messenger is measured against: the same stack with another post in it.

`python -m bench.private_peers NAME --port 0` runs one and prints its address. `no_storage` hands
messages over and asks no database: the ceiling. `commit_each` stores as the source connects.
"""
