"""The commands: `python3 -m course VERB`. Without a verb it is `lab`; `test` is `checks`; small ones are in `course/cli.py`."""
