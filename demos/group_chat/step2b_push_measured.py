"""A9: The push techniques, measured side by side.

Source: A9 and A12 say in words what polling and long polling cost.

See: six clients of step 2 run at the same time. For each, a table shows its requests, its bytes for
each message, and its delay. The server counts the bytes at its sockets. Three of the clients use
polling, each with another pause. A plot shows bytes and delay.

Try: change PAUSES in push_clients.py. With which pause is the delay of polling as short as that of
the others? How many bytes does it need then? A browser sends more headers than these clients: which
ways does that make worse?

New: in step 2 you watched a page. Here programs are the clients. They run for a fixed time, so
their figures can be compared.
"""

from demos.group_chat.push.push_clients import Cost, measure
from demos.instruments.plots import NEUTRAL, Plot, options
from demos.instruments.processes import running
from demos.instruments.rounds import short
from demos.instruments.screen import conclude, run, table


def rows(found: dict[str, Cost]) -> list[dict[str, object]]:
    """Return what was found as the rows of a table."""
    return [
        {
            "way": name,
            "messages": cost.messages,
            "requests": cost.requests,
            "bytes for each message": f"{cost.each:.0f}",
            "delay, ms": short(cost.delay),
        }
        for name, cost in found.items()
    ]


def plot(found: dict[str, Cost]) -> Plot:
    """Draw bytes and delay, on scales where each step is ten times the one before."""
    drawing = Plot(2)
    panels = {
        "bytes for each message": [cost.each for cost in found.values()],
        "delay: median, ms": [cost.delay for cost in found.values()],
    }
    for axes, (title, values) in zip(drawing.panels, panels.items(), strict=True):
        bars = axes.barh(list(found), values, color=NEUTRAL, log=True)
        axes.bar_label(bars, [short(value) for value in values], padding=4)
        axes.set(title=title, xlim=(min(values) / 2, max(values) * 6))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.invert_yaxis()
    drawing.panels[1].set_yticklabels([])
    return drawing


def sentence(found: dict[str, Cost]) -> str:
    """Name the ways with the largest and the smallest figures, and those close to the smallest."""
    latest = max(found, key=lambda name: found[name].delay)
    dearest = max(found, key=lambda name: found[name].each)
    least = min(cost.each for cost in found.values())
    leanest = [name for name, cost in found.items() if cost.each < 1.4 * least]
    once = [name for name, cost in found.items() if cost.requests == 1]
    return (
        f"{latest} has the longest delay, and {dearest} moves the most bytes. "
        f"The fewest bytes: {' and '.join(leanest)}. "
        f"Only one request: {' and '.join(once)}."
    )


def main() -> None:
    """Measure, show, draw, conclude."""
    chosen = options(__doc__)
    with running("step2_push_techniques") as (url,):
        found = measure(url, 5 if chosen.quick else 30)
    table("A message a second, on average", rows(found))
    chosen.keep(plot(found), "push_techniques")
    conclude(sentence(found))


if __name__ == "__main__":
    run(main)
