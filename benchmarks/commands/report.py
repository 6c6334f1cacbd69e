"""Put the results into docs/performance.md and docs/masking.md, the costs into docs/scaling.md, and draw the curves.

Each place of a document is a line <!-- begin: NAME --> and a line <!-- end: NAME -->. A result that is not in
benchmarks/results leaves its place empty.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.consumers import PROJECT
from benchmarks.cost.assumptions import load_assumptions
from benchmarks.cost.tables import cost_rows, markdown_table
from benchmarks.plots import PLOTS
from benchmarks.reports import filled
from benchmarks.results import RESULTS, Result
from maskline.pipeline.printing import echo

DOCUMENTS = PROJECT / "docs"
FIGURES = DOCUMENTS / "performance"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options: none."""


def main(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - every command takes them
    """Write the documents and draw the figures."""
    for file in sorted(RESULTS.glob("*.json")):
        result = Result.read(file)
        if result.name in PLOTS:
            FIGURES.mkdir(exist_ok=True)
            PLOTS[result.name].draw(result, FIGURES / f"{result.name}.svg")
    for document in (DOCUMENTS / "performance.md", DOCUMENTS / "scaling.md", DOCUMENTS / "masking.md"):
        document.write_text(filled(document.read_text(), place_of))
        echo(f"Written: {document}")
    return 0


def place_of(name: str, results: Path = RESULTS, figures: Path = FIGURES) -> str:
    """Return what belongs into the place of a name.

    Args:
        name: A result's name; ``cost`` is the table of docs/scaling.md.
        results: Where results are.
        figures: Where figures are.
    """
    if name == "cost":
        from benchmarks.commands.cost import RATES

        return f"\n{markdown_table(RATES, cost_rows(RATES, load_assumptions()))}\n\n"
    file = results / f"{name}.json"
    if not file.exists():
        return ""
    result = Result.read(file)
    figure = figures / f"{name}.svg"
    picture = f"\n![{result.title}]({figures.name}/{figure.name})\n" if figure.exists() else ""
    return f"{result.markdown()}{picture}\n"
