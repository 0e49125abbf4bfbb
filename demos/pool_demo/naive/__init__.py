"""The source's faults, rebuilt in small modules so that they can be shown and tested.

Nothing here is for use. Each module names its errata (E1, E2, ...) and where it is done right.
"""
