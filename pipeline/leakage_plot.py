"""The anonymity of a masked column's rows, as one curve for each thing that an attacker knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from maskline.errors import UsageError
from maskline.masks.leakage import EquivalenceClass, rows_by_anonymity

_INCHES = (7.2, 3.6)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "maskline",  # the same curve is the same file
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
}


def plot_anonymity(classes: Mapping[str, Sequence[EquivalenceClass]], column: str, file: Path) -> None:
    """Draw the share of rows that hide among at most k tokens; the higher a curve begins, the more are identified.

    Args:
        classes: The column's tokens, by what the attacker who tells them apart knows.
        column: The column, for the title.
        file: The SVG file; one that is there is replaced.

    Raises:
        UsageError: The file cannot be written.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_INCHES, layout="constrained")
        axes = figure.subplots()
        for known, their_classes in classes.items():
            rows = rows_by_anonymity(their_classes)
            total = sum(rows.values())
            sizes = [1, *rows] if 1 not in rows else [*rows]
            shares = [count / total for count in accumulate(rows.get(size, 0) for size in sizes)]
            axes.step(sizes, shares, where="post", label=known)
            axes.plot(sizes, shares, linestyle="none", marker="o", markersize=3, color=axes.lines[-1].get_color())
        axes.set_xscale("log")
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
        axes.set_xlabel("k: tokens among which a row's token hides")
        axes.set_ylabel("rows that hide among at most k")
        axes.set_title(f"{column}: known of every value", loc="left", fontsize=10)
        axes.legend(frameon=False, fontsize=9)
        try:
            figure.savefig(file, format="svg", metadata={"Date": None})
        except OSError as error:
            raise UsageError(f"plot {file}: cannot be written ({error.strerror})") from None
