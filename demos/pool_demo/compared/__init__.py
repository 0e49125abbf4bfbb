"""The ways to a connection that step 6 compares, and the phases of one connect.

For lesson 04 and the benchmarks.
"""
