"""A11, B4: What breaks, in the source's code and in ours.

Source: A11's one_chat.py and B4's chat by session, faults included, are in naive/.

See: each fault in turn, played by real clients against the source's server and then against ours.
The first column has the number of the fault; faults.py has the clients.

Try: start `python -m demos.private_chat.naive.one_chat`, open three pages, give two of them the
same nickname, and write to it from the third. Who reads it? Do the same with step 1.

New: steps 1 and 3 were written so that nothing of this happens. Here you see it not happen, and
what a missing line costs: one stranger who reads along, one query for which everybody waits.
"""

import sys

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from demos.group_chat.faults import Seen
from demos.group_chat.servers import running
from demos.private_chat.faults import FAULTS


def main() -> None:
    """Provoke each fault on a server of either kind, and count."""
    width = None if sys.stdout.isatty() else 120
    grid = Table("", "what", "the source's code", "ours", box=box.SIMPLE_HEAD, show_edge=False)
    console = Console(highlight=False, markup=False, width=width)
    modules = sorted({module for fault in FAULTS for module in (fault.naive, fault.right)})
    naive: list[Seen] = []
    right: list[Seen] = []
    with running(*modules, demo="private_chat") as urls, Live(grid, console=console):
        at = dict(zip(modules, urls, strict=True))
        for fault in FAULTS:
            naive.append(fault.provoke(at[fault.naive]))
            right.append(fault.provoke(at[fault.right]))
            grid.add_row(fault.erratum, fault.title, naive[-1].what, right[-1].what)
    print(
        f"\nConclusion: of {len(FAULTS)} faults, the source's code has "
        f"{sum(seen.broken for seen in naive)}, ours {sum(seen.broken for seen in right)}."
    )


if __name__ == "__main__":
    main()
