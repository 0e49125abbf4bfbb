"""A9, A10, B2: The faults of the source's chats, played against its code and against ours.

Source: naive/chat.py is A10's chat.py here, and naive/nameless.py is B2's room, faults included.

See: real clients cause each fault, first at the source's server and then at ours. The first column
has the number of the fault. The clients are in faults.py.

Try: start `python -m demos.group_chat.naive.chat` and cause W2 by hand. Open three tabs, close the
first one, and write in the second. Which tab loses its connection, and why that one?

New: step 4 has none of these faults. This step shows it.
"""

import sys

from demos.group_chat.clients.faults import FAULTS, Fault, Seen, show
from demos.instruments.processes import running


def main() -> None:
    """Cause each fault: on a new naive server each time, and on one server of ours for all."""
    steps = sorted({fault.right for fault in FAULTS})
    with running(*steps) as urls:
        ours = dict(zip(steps, urls, strict=True))

        def provoke(fault: Fault) -> tuple[Seen, Seen]:
            with running(fault.naive) as (theirs,):
                naive = fault.provoke(theirs)
            return naive, fault.provoke(ours[fault.right])

        show(FAULTS, provoke)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
