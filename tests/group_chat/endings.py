"""How the chat ends that is started with options it cannot use: all cases in one process, which imports it once."""

import json
import subprocess
import sys

from course.ground import place

EACH = """
import contextlib, io, json, sys
from demos.group_chat import chat
ended = []
for options in json.load(sys.stdin):
    sys.argv[1:] = ["--port", "0", *options]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            chat.main()
        except SystemExit as end:
            ended.append((end.code, said.getvalue()))
print(json.dumps(ended))
"""


def endings_of_main(*cases):
    """Call the chat's `main` with each list of options, none of which lets it serve: [exit code or sentence, said]."""
    done = subprocess.run(
        [sys.executable, "-c", EACH],
        cwd=place.ROOT,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    ended = json.loads(done.stdout)
    assert len(ended) == len(cases)
    return ended
