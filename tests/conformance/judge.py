"""Run the suite against our echo and write its verdicts, as Markdown, to standard output.

    python -m tests.conformance.judge FOLDER COMMAND...

COMMAND is wstest. FOLDER takes its own report, with every byte of every case. The exit code is 1 if
a case failed or did not run.
"""

import json
import platform
import re
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

SECONDS = 300  # for all cases; they take about 30
CASES = 517
PARTS = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "opcodes",
    5: "fragmentation",
    6: "UTF-8",
    7: "close handshake",
    9: "limits and speed",
    10: "automatic fragmentation",
    12: "compression",
    13: "compression with parameters",
}
VERDICTS = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED")
INTRODUCTION = """\
# Conformance of the frame layer

What Autobahn|Testsuite, which nobody here wrote, says about the echo of step 1. Again, in a minute:

    tests/conformance/run > tests/conformance/results.md

NON-STRICT is allowed by the standard, though stricter is possible. INFORMATIONAL cases have no right
answer. Compression is not implemented, by choice: a chat's messages are small. The limits that
protect a chat are lifted, because the suite's messages are not small: see
[echo_server.py](echo_server.py).
"""


@contextmanager
def echo(log):
    """Run the echo server for a while and give its address; it has to survive without a traceback."""
    command = [sys.executable, "-m", "tests.conformance.echo_server"]
    with (
        log.open("w+") as output,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output, text=True) as server,
    ):
        try:
            yield server.stdout.readline().strip()
            ended = server.poll() is not None
        finally:
            server.kill()
    said = log.read_text("utf-8")
    if ended or "Traceback" in said:
        sys.exit(f"The echo server failed:\n{said[-2000:]}")


def cases(folder, wstest):
    """Run every case and return the suite's reports of them, in order."""
    log, spec = folder / "wstest.log", folder / "spec.json"
    with echo(folder / "server.log") as url, log.open("wb") as output:
        servers = [{"url": url, "agent": "ours"}]
        choice = {"cases": ["*"], "exclude-cases": [], "exclude-agent-cases": {}}
        spec.write_text(json.dumps({"outdir": str(folder), "servers": servers, **choice}), "utf-8")
        command = [*wstest, "--mode", "fuzzingclient", "--spec", str(spec)]
        try:
            subprocess.run(
                command, cwd=folder, stdout=output, stderr=output, timeout=SECONDS, check=True
            )
        except subprocess.SubprocessError as error:
            sys.exit(f"{error}\n{log.read_text('utf-8', 'replace')[-2000:]}")
    index = json.loads((folder / "index.json").read_text("utf-8"))["ours"]
    found = [json.loads((folder / one["reportfile"]).read_text("utf-8")) for one in index.values()]
    return sorted(found, key=lambda case: [int(number) for number in case["id"].split(".")])


def verdict(case):
    """Return the suite's verdict. A case that is right and does not end as it should has failed."""
    said = case["behavior"]
    ended = said == "UNIMPLEMENTED" or case["behaviorClose"] in ("OK", "INFORMATIONAL")
    return said if said in VERDICTS and ended else "FAILED"


def table(found):
    """Return the counts of each part."""
    counts = Counter((int(case["id"].split(".")[0]), verdict(case)) for case in found)
    rows = [["part", *VERDICTS], ["---", *["---:"] * len(VERDICTS)]]
    for part, name in PARTS.items():
        rows.append([f"{part} {name}", *(counts[part, one] or "" for one in VERDICTS)])
    rows.append(["all", *(sum(counts[part, one] for part in PARTS) for one in VERDICTS)])
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def details(found, wanted):
    """Return a line for each case with this verdict: what the suite did, and how it ended."""
    lines = [
        f"- {case['id']}: {plain(case['description']).rstrip('.')}. "
        f"Ended with {case['remoteCloseCode']}: {case['remoteCloseReason'] or 'no reason'}."
        for case in found
        if verdict(case) == wanted
    ]
    return "\n".join([f"\n## {wanted}\n", *lines]) if lines else None


def plain(html):
    """Return a description without its markup."""
    return " ".join(re.sub(r"<.*?>", " ", html).split())


def main():
    folder = Path(sys.argv[1]).resolve()
    lock = (Path(__file__).parent / "suite.lock").read_text("utf-8")
    suite = re.search(r"autobahntestsuite==(\S+)", lock)[1]
    found = cases(folder, sys.argv[2:])
    ours = " · ".join(f"{name} {version(name)}" for name in ("gevent", "gevent-websocket", "Flask"))
    print(INTRODUCTION)
    print(f"Autobahn|Testsuite {suite} · Python {platform.python_version()} · {ours}\n")
    print(table(found))
    for wanted in ("FAILED", "NON-STRICT", "INFORMATIONAL"):
        if lines := details(found, wanted):
            print(lines)
    failed = sum(verdict(case) == "FAILED" for case in found)
    if failed or len(found) != CASES:
        sys.exit(f"{failed} cases failed, {len(found)} of {CASES} ran.")


if __name__ == "__main__":
    main()
