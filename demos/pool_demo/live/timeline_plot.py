"""A1, A4: the plot of a timeline: a lane for each connection, and for each caller who waited."""

from demos.instruments.plots import INK, PALETTE, PAPER, Plot
from demos.pool_demo.live.timeline import Doing, Log

LOOKS: dict[Doing, tuple[str, str]] = {  # colour and hatching: also without colours
    "idle": ("#b8bec5", ""),
    "checked out": (PALETTE[0], ""),
    "waiting": (PALETTE[1], "//"),
}


def lanes(log: Log) -> Plot:
    """Draw a lane for each connection, by its place 1, 2, ..., and for each caller who waited."""
    spans = log.spans()
    callers = sorted({span.lane for span in spans if isinstance(span.lane, str)})
    names: dict[int | str, str] = {
        number: f"connection {place}" for place, number in enumerate(log.connections(), 1)
    }
    order = [*names, *callers]
    plot = Plot(1, height=1.5 + 0.42 * len(order), width=9)
    (axes,) = plot.panels
    for doing, (ink, hatch) in LOOKS.items():
        for place, lane in enumerate(order):
            bars = [
                (span.begin * 1000, (span.end - span.begin) * 1000)
                for span in spans
                if (span.lane, span.doing) == (lane, doing)
            ]
            axes.broken_barh(bars, (place - 0.35, 0.7), fc=ink, hatch=hatch, ec=PAPER)
        axes.broken_barh([], (0, 0), fc=ink, hatch=hatch, ec=PAPER, label=doing)
    axes.set_yticks(range(len(order)), [names.get(lane, str(lane)) for lane in order])
    axes.invert_yaxis()
    axes.axhline(len(names) - 0.5, color=INK, linewidth=1)
    axes.set(xlabel="ms", xlim=(0, None))
    plot.legend()
    return plot
