"""A9: The push techniques, measured side by side.

Source: A9 and A12 say what polling and long polling waste, in words.

See: six clients of step 2, all at the same time, and what each way costs: requests, bytes for each
message, counted at the server's sockets, and how late a message is. Polling is there three times,
with three pauses. A plot shows bytes and delay.

Try: change PAUSES in push_clients.py. With which pause has polling a delay like the others? What
are its bytes then? A browser sends more headers than these clients: which ways does that hurt?

New: in step 2 a page was the client, and you looked. Here programs are, for so many seconds, and
the figures can be compared.
"""

from demos.group_chat.push_clients import Cost, measure
from demos.group_chat.servers import running
from demos.pool_demo.charts import Plot, colour, options
from demos.pool_demo.measure import short
from demos.pool_demo.show import conclude, run, table


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
        bars = axes.barh(list(found), values, color=[colour(name) for name in found], log=True)
        axes.bar_label(bars, [short(value) for value in values], padding=4)
        axes.set(title=title, xlim=(min(values) / 2, max(values) * 6))
        axes.invert_yaxis()
    drawing.panels[1].set_yticklabels([])
    return drawing


def sentence(found: dict[str, Cost]) -> str:
    """Say who is at the ends of the scales; who is near an end stands there too."""
    latest = max(found, key=lambda name: found[name].delay)
    dearest = max(found, key=lambda name: found[name].each)
    least = min(cost.each for cost in found.values())
    leanest = [name for name, cost in found.items() if cost.each < 1.4 * least]
    once = [name for name, cost in found.items() if cost.requests == 1]
    return (
        f"the latest is {latest}, the one that moves most bytes is {dearest}. "
        f"The fewest bytes move {' and '.join(leanest)}; one request is enough for "
        f"{' and '.join(once)}."
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
