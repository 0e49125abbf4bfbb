"""A9, A10, B2: The faults of the source's chats, played against its code and against ours.

Source: naive/chat.py is A10's chat.py here, and naive/nameless.py is B2's room, faults included.

See: real clients cause each fault, first at the source's server and then at ours. The first column
has the number of the fault. The clients are in faults.py.

Try: start `python -m demos.group_chat.naive.chat` and cause W2 by hand. Open three tabs, close the
first one, and write in the second. Which tab loses its connection, and why that one?

New: step 4 has none of these faults. This step shows it.
"""

import sys

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from demos.group_chat.clients.faults import FAULTS, Seen
from demos.instruments.processes import running


def main() -> None:
    """Cause each fault: on a new naive server each time, and on one server of ours for all."""
    width = None if sys.stdout.isatty() else 120
    grid = Table("", "what", "the source's code", "ours", box=box.SIMPLE_HEAD, show_edge=False)
    naive: list[Seen] = []
    right: list[Seen] = []
    console = Console(highlight=False, markup=False, width=width)
    steps = sorted({fault.right for fault in FAULTS})
    with running(*steps) as urls, Live(grid, console=console):
        ours = dict(zip(steps, urls, strict=True))
        for fault in FAULTS:
            with running(fault.naive) as (theirs,):
                naive.append(fault.provoke(theirs))
            right.append(fault.provoke(ours[fault.right]))
            grid.add_row(fault.erratum, fault.title, naive[-1].what, right[-1].what)
    print(
        f"\nConclusion: of {len(FAULTS)} faults, the source's code has "
        f"{sum(seen.broken for seen in naive)}, ours {sum(seen.broken for seen in right)}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
