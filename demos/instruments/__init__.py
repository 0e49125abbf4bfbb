"""Instruments: tools with which several demos measure, draw, watch and disturb.

No lesson teaches them. They are for authors of demos. They use `pool_demo.settings` to find the
server, and no other demo.
"""
