"""The curves of results as SVG, for documents that show no script and in which a difference shows as a difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from benchmarks.results import Result

INCHES = (7.2, 3.6)

MARGIN = 1.06
"""How much higher than the highest point the vertical axis is, so that no point is cut off."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "maskline",  # the same curve is the same file
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
}


class Plot:
    """How the curves of one result are drawn.

    Args:
        across: What the horizontal axis shows.
        up: What the vertical axis shows.
        is_logarithmic: Whether each step across is a multiple of the one before.
    """

    def __init__(self, across: str, up: str, is_logarithmic: bool = False) -> None:
        self._across = across
        self._up = up
        self._is_logarithmic = is_logarithmic

    def draw(self, result: Result, file: Path) -> None:
        """Draw a result's curves.

        Args:
            result: The result.
            file: The SVG file.
        """
        with mpl.rc_context(STYLE):
            self.figure(result).savefig(file, format="svg", metadata={"Date": None})

    def figure(self, result: Result) -> Figure:
        """Return the figure of a result's curves.

        Args:
            result: The result.
        """
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=INCHES, layout="constrained")
            axes = figure.subplots()
            for name, points in result.curves.items():
                across, up = zip(*points, strict=True)
                axes.plot(across, up, label=name, marker="o" if len(points) <= 10 else None)
            _count_in_whole_numbers(axes.yaxis)
            if self._is_logarithmic:
                axes.set_xscale("log")
                values = sorted({point[0] for points in result.curves.values() for point in points})
                axes.set_xticks(values, [f"{value:,.0f}" for value in values], minor=False)
                axes.minorticks_off()
            else:
                _count_in_whole_numbers(axes.xaxis)
            highest = max(up for points in result.curves.values() for _, up in points)
            axes.set_ylim(0, MARGIN * highest)
            axes.set_xlabel(self._across)
            axes.set_ylabel(self._up)
            axes.set_title(result.title, loc="left", fontsize=10)
            if len(result.curves) > 1:
                axes.legend(frameon=False)
            return figure


def _count_in_whole_numbers(axis: Axis) -> None:
    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


PLOTS = {
    "throughput": Plot("seconds since the start of the job", "rows"),
    "latency": Plot("percentile", "milliseconds"),
    "memory": Plot("rows written", "MB"),
    "backlog": Plot("messages waiting", "rows/s", is_logarithmic=True),
    "message_size": Plot("bytes a message", "rows/s", is_logarithmic=True),
    "batch_size": Plot("--micro_batch_size", "rows/s", is_logarithmic=True),
    "pollers": Plot("--pollers", "rows/s"),
}
"""How each result is drawn, by its name; those that are not here have a table only, as have all of two points."""
