"""A9, A10, B2: What breaks, in the source's code and in ours.

Source: A10's chat.py is naive/chat.py here, and B2's room is naive/nameless.py, faults included.

See: each fault in turn, played by real clients against the source's server and then against ours.
The first column has the number of the fault; faults.py has the clients.

Try: start `python -m demos.group_chat.naive.chat` and do W2 by hand: three tabs, close the first
one, write in the second. Which tab loses its connection, and why that one?

New: step 4 was written so that nothing of this happens. Here you see it not happen.
"""

import sys

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from demos.group_chat.faults import FAULTS, Seen
from demos.group_chat.servers import running


def main() -> None:
    """Provoke each fault: on a new naive server each time, and on ours, which live through all."""
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
