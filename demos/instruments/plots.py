"""What the steps that compare share: their options and their plots.

No lesson teaches it. In a notebook a plot shows itself, without set-up. A plot is an SVG picture,
light or dark as the page. The import of Matplotlib takes a second, so it happens with the first
plot, and a step begins at once.
"""

import argparse
import io
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from demos.instruments import chinese
from demos.instruments.rounds import Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that differ for colour-blind readers too, and that can be seen on white and on black.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#c2649a", "#a67c00", "#2a9dbf")
NEUTRAL = "#7f7f7f"
MARKERS = "os^Dv*"
_places: dict[str, int] = {}  # the place of each name in the palette

# What a plot is drawn with, and what stands for it in the picture: a page can be light or dark.
INK, PAPER = "#1f2328", "#fefefe"
LOOK = """<style>
svg { --ink: #1f2328; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { svg { --ink: #f0f3f6; --paper: #16181d; } }
</style>"""


@dataclass(frozen=True)
class Options:
    """The options of the command line. `plots` is the folder for the plots, if given."""

    quick: bool
    plots: Path | None

    def keep(self, plot: "Plot", name: str) -> None:
        """Write the plot to `name`.svg in the folder, or in a new temporary one; print where."""
        folder = self.plots or Path(tempfile.mkdtemp(prefix="pool_demo-"))
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.svg"
        file.write_text(plot.svg(), "utf-8")
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
        from matplotlib.font_manager import fontManager

        if chinese.FAMILY not in fontManager.get_font_names():
            fontManager.addfont(chinese.FILE)  # it has to know how wide the letters are
        matplotlib.rcParams.update(
            {
                "text.color": INK,
                "axes.edgecolor": INK,
                "axes.labelcolor": INK,
                "xtick.color": INK,
                "ytick.color": INK,
                "figure.facecolor": PAPER,
                "axes.facecolor": PAPER,
                "font.size": 13,  # for the back row
                "legend.frameon": False,
                "font.sans-serif": ["DejaVu Sans"],  # in the picture: this one, or the reader's own
                "font.family": ["sans-serif", chinese.FAMILY],
                "svg.fonttype": "none",  # letters stay letters: they can be searched and read aloud
                "svg.hashsalt": "course",  # the same figures make the same file
            }
        )
        self.figure = Figure(figsize=(3 + width * panels, height), layout="constrained")
        self.panels: list[Axes] = [
            self.figure.add_subplot(1, panels, number + 1) for number in range(panels)
        ]

    def legend(self, columns: int = 3) -> None:
        """Name the lines of all panels once, above them, where the legend covers nothing."""
        lines, names = self.panels[0].get_legend_handles_labels()
        self.figure.legend(lines, names, loc="outside upper center", ncols=columns)

    def svg(self) -> str:
        """Return the picture, light or dark as its page is."""
        drawn = io.StringIO()
        self.figure.savefig(drawn, format="svg", metadata={"Date": None})
        picture = drawn.getvalue()
        start = picture.index(">", picture.index("<svg ")) + 1
        inside = picture[start:].replace(INK, "var(--ink)").replace(PAPER, "var(--paper)")
        inside = re.sub(rf"(font-family: )([^;]+), ('{chinese.FAMILY}')", r"\1\3, \2", inside)
        return chinese.lettered(f"{picture[picture.index('<svg ') : start]}\n{LOOK}{inside}")

    def __repr__(self) -> str:
        """Return what stands for it where no picture can be seen: what each panel shows."""
        shown = [axes.get_title() or axes.get_xlabel() for axes in self.panels]
        return f"Plot: {'; '.join(shown)}".replace("\n", " ")

    def _repr_svg_(self) -> str:
        """Return the picture; a notebook asks for it by this name."""
        return self.svg()


def name_colours(*names: str) -> None:
    """Give each of these a colour of its own, in all plots; what has no colour is drawn in grey."""
    for name in names:
        _places.setdefault(name, len(_places) % len(PALETTE))


def colour(name: str) -> str:
    """Return the colour of a name: the same one in every plot."""
    return PALETTE[_places[name]] if name in _places else NEUTRAL


def bars(panels: Mapping[str, Mapping[str, Sample]], unit: str) -> Plot:
    """Draw a panel for each title: a bar per sample, its median, and a line from low to high."""
    from matplotlib.ticker import MaxNLocator

    plot = Plot(len(panels))
    for axes, (title, samples) in zip(plot.panels, panels.items(), strict=True):
        # One slow round must not flatten all bars: its line is cut, and the arrow says so.
        room = 1.2 * max(sample.median for sample in samples.values())
        for place, (name, sample) in enumerate(samples.items()):
            axes.barh(place, sample.median, color=colour(name))
            end = min(sample.high, room)
            if sample.low < sample.high:
                axes.plot([sample.low, end], [place, place], color=INK)
            if end < sample.high:
                axes.plot([end], [place], color=INK, marker=">")
            axes.annotate(
                str(sample),
                (end, place),
                (8, 0),
                textcoords="offset points",
                va="center",
                size="small",
            )
        axes.set_yticks(range(len(samples)), list(samples))
        longest = max(len(str(sample)) for sample in samples.values())
        axes.set_xlim(0, room * (1 + longest / 18))  # with room for what stands at the end
        if all(value == int(value) for one in samples.values() for value in one.values):
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
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
            marker = MARKERS[_places.get(name, 0)]
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
        plot.legend()
    return plot
