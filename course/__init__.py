"""Runs the course and teaches nothing: set-up, private server, lessons, steps, tests.

Everything in this package is standard library only, because it runs before anything is installed.
"""
