"""What everything in `course/` stands on: places, words, locks, child processes, packages and programs.

Standard library only: it runs before anything is installed.
"""
