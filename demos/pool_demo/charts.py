"""What the comparing steps share besides the figures: their options and their plots.

It teaches nothing. In a notebook a plot shows itself, without further set-up. Matplotlib takes a
second to import, so that happens with the first plot, and a step begins at once.
"""

import argparse
import io
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from demos.pool_demo.measure import Sample
from demos.pool_demo.timeline import Doing, Log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "os^Dv*PX"
LOOKS: dict[Doing, tuple[str, str]] = {  # colour and hatching: also without colours
    "idle": ("#d9d9d9", ""),
    "checked out": ("C0", ""),
    "waiting": ("C1", "//"),
}
_places: dict[str, int] = {}  # each name's place in the palette, the same in all plots


@dataclass(frozen=True)
class Options:
    """What the command line says. `plots` is the folder for the plots, if one is named."""

    quick: bool
    plots: Path | None

    def keep(self, plot: "Plot", name: str) -> None:
        """Write the plot to `name`.png in the folder, or in a new temporary one; print where."""
        folder = self.plots or Path(tempfile.mkdtemp(prefix="pool_demo-"))
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.png"
        plot.savefig(file)
        inside = Path.cwd() in file.resolve().parents
        print(f"\nPlot: {os.path.relpath(file) if inside else file}")


def options(description: str | None) -> Options:
    """Read the command line of a step that measures; the description is its docstring."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, and less to believe")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="default: a temporary folder")
    chosen = parser.parse_args()
    return Options(chosen.quick, chosen.plots)


class Plot:
    """One or more panels, side by side. It needs no screen."""

    def __init__(self, panels: int, height: float = 4.5, width: float = 4.5) -> None:
        """Begin with empty panels, all of the same height and width, in inches."""
        import matplotlib
        from matplotlib.figure import Figure

        matplotlib.rcParams["font.size"] = 13  # for the back row
        self.figure = Figure(figsize=(3 + width * panels, height), layout="constrained", dpi=110)
        self.panels: list[Axes] = [
            self.figure.add_subplot(1, panels, number + 1) for number in range(panels)
        ]

    def savefig(self, to: Path | io.BytesIO, **options: Any) -> None:  # noqa: ANN401 - matplotlib's
        """Write it to a file; the options are those of matplotlib's `Figure.savefig`."""
        self.figure.savefig(to, **options)

    def __repr__(self) -> str:
        """Return what stands for it where no picture can be shown."""
        return repr(self.figure).replace("Figure", "Plot")

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


def colour(name: str) -> str:
    """Return the colour of a name: the same one in every plot of a run."""
    return f"C{_places.setdefault(name, len(_places)) % 10}"


def bars(panels: Mapping[str, Mapping[str, Sample]], unit: str) -> Plot:
    """Draw a panel for each title: a bar per sample, its median, and a line from low to high."""
    plot = Plot(len(panels))
    for axes, (title, samples) in zip(plot.panels, panels.items(), strict=True):
        # One slow round must not flatten all bars: its line leaves the panel.
        room = 1.2 * max(sample.median for sample in samples.values())
        for place, (name, sample) in enumerate(samples.items()):
            axes.barh(place, sample.median, color=colour(name), alpha=0.8)
            axes.plot([sample.low, min(sample.high, room)], [place, place], color="black")
            axes.text(min(sample.high, room), place, f"  {sample}", va="center", fontsize="small")
        axes.set_yticks(range(len(samples)), list(samples))
        axes.set_xlim(0, 1.7 * room)
        axes.invert_yaxis()
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel(unit)
    return plot


def curves(
    panels: Mapping[str, Mapping[str, Mapping[int, Sample]]],
    across: str,
    up: str,
    scale: Literal["linear", "log"] = "linear",
) -> Plot:
    """Draw a panel for each title: a line per name through the medians, and a band low to high."""
    from matplotlib.ticker import LogLocator

    plot = Plot(len(panels))
    for axes, (title, lines) in zip(plot.panels, panels.items(), strict=True):
        for name, points in lines.items():
            found = points.values()
            ink = colour(name)
            marker = MARKERS[_places[name] % len(MARKERS)]
            middle = [one.median for one in found]
            axes.plot(list(points), middle, label=name, color=ink, marker=marker)
            low, high = [one.low for one in found], [one.high for one in found]
            axes.fill_between(list(points), low, high, color=ink, alpha=0.2)
        axes.set_title(title, fontsize="medium")
        axes.set(xlabel=across, ylabel=up, xscale=scale, yscale="log")
        axes.set_xticks(list(points), [str(place) for place in points])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.minorticks_off()
    if len(lines) > 1:
        plot.panels[0].legend()
    return plot


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
            axes.broken_barh(bars, (place - 0.35, 0.7), fc=ink, hatch=hatch, ec="white")
        axes.broken_barh([], (0, 0), fc=ink, hatch=hatch, ec="white", label=doing)
    axes.set_yticks(range(len(order)), [names.get(lane, str(lane)) for lane in order])
    axes.invert_yaxis()
    axes.axhline(len(names) - 0.5, color="black", linewidth=1)
    axes.set(xlabel="ms", xlim=(0, None))
    plot.figure.legend(loc="outside upper center", ncols=len(LOOKS))
    return plot
