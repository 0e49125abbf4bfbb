"""A11, B4: The faults of the source's private chats, played against its code and against ours.

Source: naive/ has A11's one_chat.py and B4's chat by session, faults included.

See: real clients cause each fault, first at the source's server and then at ours. The first column
has the number of the fault. The clients are in faults.py.

Try: start `python -m demos.private_chat.naive.one_chat` and open three pages. Give two of them the
same nickname, and write to it from the third. Who reads it? Do the same with step 1.

New: steps 1 and 3 have none of these faults. This step shows it. It also shows what one missing
line costs: a stranger reads a message, or all users wait for one query.
"""

from demos.group_chat.clients.faults import show
from demos.instruments.processes import running
from demos.private_chat.clients.faults import FAULTS


def main() -> None:
    """Cause each fault at the source's server and at ours, and count the faults."""
    modules = sorted({module for fault in FAULTS for module in (fault.naive, fault.right)})
    with running(*modules, demo="private_chat") as urls:
        at = dict(zip(modules, urls, strict=True))
        show(FAULTS, lambda one: (one.provoke(at[one.naive]), one.provoke(at[one.right])))


if __name__ == "__main__":
    main()
