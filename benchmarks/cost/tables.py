"""The cost as a table: one column a rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from benchmarks.cost.assumptions import Assumptions
from benchmarks.cost.model import HORIZONS_DAYS, Cost, idle_requests_per_month, tiered_dollars
from benchmarks.results import shown

Rows = list[tuple[str, list[str]]]
INDEX_LENGTHS_DAYS = {"an hour": 1 / 24, "a day": 1.0}
SINGLE, FULL = (1.0, 1.0), (10.0, 10.0)


def cost_rows(rates: Sequence[float], assumptions: Assumptions) -> Rows:
    """Return what the table shows.

    Args:
        rates: Messages a minute.
        assumptions: The numbers to compute from.
    """
    costs = [Cost(rate, assumptions) for rate in rates]
    rows = [
        ("messages a second", [shown(cost.messages_per_second) for cost in costs]),
        ("SQS requests a month, batches of ten", [_large(cost.sqs_requests_per_month(*FULL)) for cost in costs]),
        ("SQS requests a month, one by one", [_large(cost.sqs_requests_per_month(*SINGLE)) for cost in costs]),
        ("SQS a month, batches of ten", [_dollars(cost.sqs_dollars(*FULL)) for cost in costs]),
        ("SQS a month, one by one", [_dollars(cost.sqs_dollars(*SINGLE)) for cost in costs]),
        ("queues, for what is in flight", [shown(cost.queues) for cost in costs]),
        ("busy cores of the job on one machine", [shown(cost.job_cores) for cost in costs]),
        ("Flink slots of one core", [shown(cost.flink_slots) for cost in costs]),
        ("job on Flink a month", [_dollars(cost.job_dollars) for cost in costs]),
        ("database servers", [shown(cost.databases) for cost in costs]),
        ("cores of the database", [shown(cost.database_cores) for cost in costs]),
        ("database a month", [_dollars(cost.database_dollars) for cost in costs]),
    ]
    for days in HORIZONS_DAYS:
        after = f"after {days} day{'s' if days > 1 else ''}"
        rows += [
            (f"table {after}", [_gigabytes(cost.table_gigabytes(days)) for cost in costs]),
            (f"index {after}", [_gigabytes(cost.index_gigabytes(days)) for cost in costs]),
            (f"ledger {after}", [_gigabytes(cost.ledger_gigabytes(days)) for cost in costs]),
            (f"storage a month, {after}", [_dollars(cost.storage_dollars(days)) for cost in costs]),
        ]
    for length, index_days in INDEX_LENGTHS_DAYS.items():
        rates_of_log = [f"{shown(cost.log_megabytes_per_second(index_days))} MB/s" for cost in costs]
        rows.append((f"log, where the ledger's day holds {length}", rates_of_log))
    changed = [_gigabytes(cost.gigabytes_changed_at_random) for cost in costs]
    return [*rows, ("index that is changed at random, a server", changed)]


def idle_dollars(assumptions: Assumptions) -> tuple[float, float]:
    """Return the requests of a month without a message, and their price where none is free.

    Args:
        assumptions: The numbers to compute from.
    """
    requests = idle_requests_per_month(assumptions.operation.pollers, assumptions.operation.long_poll_seconds)
    return requests, tiered_dollars(requests, assumptions.prices.sqs_tiers)


def terminal_table(rates: Sequence[float], rows: Rows) -> Table:
    """Return the table for a terminal."""
    table = Table(title="Cost by messages a minute", title_justify="left")
    table.add_column("")
    for rate in rates:
        table.add_column(f"{rate:,.0f}", justify="right")
    for name, cells in rows:
        table.add_row(name, *cells)
    return table


def markdown_table(rates: Sequence[float], rows: Rows) -> str:
    """Return the table for a document."""
    head = _line(["messages a minute", *(f"{rate:,.0f}" for rate in rates)])
    rule = _line(["---", *(["--:"] * len(rates))])
    return "\n".join([head, rule, *(_line([name, *cells]) for name, cells in rows)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount < 100 else f"${amount:,.0f}"


def _gigabytes(size: float) -> str:
    return f"{shown(size / 1000)} TB" if size >= 1000 else f"{shown(size)} GB"


def _large(count: float) -> str:
    for size, word in ((1e9, " bn"), (1e6, " m")):
        if count >= size:
            return f"{shown(count / size)}{word}"
    return shown(count)
