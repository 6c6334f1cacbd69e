"""Compute what a stream costs on AWS, by the formula of docs/scaling.md.

Every number it computes from, prices included, is in benchmarks/cost/assumptions.toml: copy it, put yours in, and give
it by --assumptions. Nothing is measured, and nothing asked of AWS.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.cost.assumptions import ASSUMPTIONS, load_assumptions
from benchmarks.cost.tables import cost_rows, idle_dollars, markdown_table, terminal_table
from benchmarks.measuring import positive, wide_console

RATES = (1_000, 100_000, 10_000_000)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--messages_per_minute",
        nargs="+",
        type=positive,
        default=RATES,
        metavar="N",
        help=f"the rates to show ({' '.join(map(str, RATES))})",
    )
    parser.add_argument(
        "--assumptions", type=Path, default=ASSUMPTIONS, metavar="FILE", help="the numbers (%(default)s)"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/scaling.md has it")


def main(arguments: argparse.Namespace) -> int:
    """Print the table."""
    assumptions = load_assumptions(arguments.assumptions)
    rows = cost_rows(arguments.messages_per_minute, assumptions)
    console = wide_console()
    if arguments.markdown:
        console.print(markdown_table(arguments.messages_per_minute, rows), markup=False, soft_wrap=True)
        return 0
    console.print(terminal_table(arguments.messages_per_minute, rows))
    requests, dollars = idle_dollars(assumptions)
    prices = assumptions.prices
    console.print(
        f"Idle, {assumptions.operation.pollers} poller(s): {requests:,.0f} requests a month, "
        f"${dollars:,.2f} where none is free. "
        f"Prices: {prices.region}, {prices.as_of}.",
        soft_wrap=True,
    )
    return 0
