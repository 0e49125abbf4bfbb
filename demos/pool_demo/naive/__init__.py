"""The source's faults, rebuilt in small modules so that they can be shown and tested.

Do not use this code. Each module names its errata (E1, E2, ...) and the module that is right.
"""
