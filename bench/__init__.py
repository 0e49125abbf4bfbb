"""Side-by-side measurements against what a user would pick instead. See README.md.

Each module with a `main` is a benchmark: `python -m bench.pool`. Nothing imports from here.
"""
