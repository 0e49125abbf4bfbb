"""A tap on the wire between a page and a step: what passes is seen, and stays as it is.

`python -m demos.group_chat.wire_tap`: for the stage and lesson 06. docs/wire-tap.md says how.
"""
