"""The formula: from messages a minute to requests, cores, bytes and dollars a month."""

from __future__ import annotations

import math

import msgspec

from benchmarks.cost.assumptions import Assumptions, Measured, SqsTier

DAYS_PER_MONTH = 30
SECONDS_PER_DAY = 86_400
SECONDS_PER_MONTH = DAYS_PER_MONTH * SECONDS_PER_DAY
BILLED_CHUNK_BYTES = 64 * 1024
"""SQS bills a request once for each 64 KiB that it carries."""

PAGE_BYTES = 8192
LEDGER_DAYS = 17
"""A day is emptied when it is more than 16 days gone; the current one comes on top."""

HORIZONS_DAYS = (1, 30, 365)


class Cost(msgspec.Struct, frozen=True):
    """What a stream costs.

    Attributes:
        messages_per_minute: Its rate.
        assumptions: The numbers that it is computed from.
    """

    messages_per_minute: float
    assumptions: Assumptions

    @property
    def messages_per_second(self) -> float:
        """The rate in seconds."""
        return self.messages_per_minute / 60

    @property
    def messages_per_month(self) -> float:
        """The messages of thirty days."""
        return self.messages_per_second * SECONDS_PER_MONTH

    def sqs_requests_per_month(self, messages_per_receive: float, messages_per_delete: float) -> float:
        """Return the billed requests of a month; the producers' own come on top.

        Args:
            messages_per_receive: How many messages a ReceiveMessage brings.
            messages_per_delete: How many a DeleteMessageBatch deletes.
        """
        chunks = math.ceil(messages_per_receive * self.assumptions.measured.message_bytes / BILLED_CHUNK_BYTES)
        return self.messages_per_month * (chunks / messages_per_receive + 1 / messages_per_delete)

    def sqs_dollars(self, messages_per_receive: float, messages_per_delete: float) -> float:
        """Return what SQS costs a month.

        Args:
            messages_per_receive: How many messages a ReceiveMessage brings.
            messages_per_delete: How many a DeleteMessageBatch deletes.
        """
        prices = self.assumptions.prices
        requests = self.sqs_requests_per_month(messages_per_receive, messages_per_delete)
        return tiered_dollars(requests - prices.sqs_free_requests_per_month, prices.sqs_tiers)

    @property
    def queues(self) -> int:
        """How many queues hold what is in flight."""
        in_flight = self.messages_per_second * self.assumptions.operation.seconds_in_flight
        return max(1, math.ceil(in_flight / self.assumptions.limits.in_flight_per_queue))

    @property
    def job_cores(self) -> float:
        """How many cores the job keeps busy to the degree that is allowed, on one machine."""
        return self._cores(self.assumptions.measured.job_cpu_microseconds)

    @property
    def flink_slots(self) -> int:
        """How many slots of one core each the job needs on Flink."""
        return max(1, math.ceil(self.job_cores * self.assumptions.measured.flink_cpu_factor))

    @property
    def job_dollars(self) -> float:
        """What the job's cores cost a month on Flink."""
        return self.flink_slots * self.assumptions.prices.vcpu_hour * SECONDS_PER_MONTH / 3600

    @property
    def databases(self) -> int:
        """How many database servers take the rows."""
        return max(1, math.ceil(self.messages_per_second / self.assumptions.limits.rows_per_second_per_database))

    @property
    def database_cores(self) -> int:
        """How many cores all database servers need together."""
        return max(self.databases, math.ceil(self._cores(self.assumptions.measured.postgres_cpu_microseconds)))

    @property
    def database_dollars(self) -> float:
        """What the database's cores cost a month."""
        return self.database_cores * self.assumptions.prices.database_vcpu_hour * SECONDS_PER_MONTH / 3600

    def table_gigabytes(self, days: float) -> float:
        """Return the size of the table after so many days."""
        return self._rows(days) * self.assumptions.measured.table_bytes_per_row / 1e9

    def index_gigabytes(self, days: float) -> float:
        """Return the size of its index after so many days; new rows change its end alone."""
        return self._rows(days) * self.assumptions.measured.index_bytes_per_row / 1e9

    def ledger_gigabytes(self, days: float) -> float:
        """Return the size of the ledger after so many days, with its indexes: older days are emptied."""
        return self._rows(min(days, LEDGER_DAYS)) * self.assumptions.measured.ledger_bytes_per_row / 1e9

    @property
    def gigabytes_changed_at_random(self) -> float:
        """The ledger's index of one day, which messages change at random, on each database server."""
        return self._rows(1) * self.assumptions.measured.ledger_index_bytes_per_row / 1e9 / self.databases

    def storage_dollars(self, days: float) -> float:
        """Return what a month's storage of the rows of so many days costs."""
        size = self.table_gigabytes(days) + self.index_gigabytes(days) + self.ledger_gigabytes(days)
        return size * self.assumptions.prices.storage_gigabyte_month

    def log_megabytes_per_second(self, days: float) -> float:
        """Return the rate of the write-ahead log when the day is so many days old: at most one."""
        rows = self.messages_per_second * self.assumptions.operation.checkpoint_seconds
        per_row = log_bytes_per_row(self._rows(days), rows, self.assumptions.measured)
        return self.messages_per_second * per_row / 1e6

    def _rows(self, days: float) -> float:
        return self.messages_per_second * SECONDS_PER_DAY * days

    def _cores(self, microseconds: float) -> float:
        return self.messages_per_second * microseconds / 1e6 / self.assumptions.operation.utilization


def log_bytes_per_row(rows_of_the_day: float, rows_between_checkpoints: float, measured: Measured) -> float:
    """Return the bytes of the write-ahead log for a row.

    A message id is random, so a new row changes a random page of the ledger's index of its day. The first change of a
    page after a checkpoint logs the page whole. Of P pages, R random changes meet ``P * (1 - exp(-R / P))``.

    Args:
        rows_of_the_day: How many outcomes the ledger has of the day.
        rows_between_checkpoints: How many rows are written between two checkpoints.
        measured: The bytes of each.
    """
    pages = rows_of_the_day * measured.ledger_index_bytes_per_row / PAGE_BYTES
    whole_pages = pages * -math.expm1(-rows_between_checkpoints / pages)
    return measured.log_bytes_per_row + whole_pages * measured.page_image_bytes / rows_between_checkpoints


def idle_requests_per_month(pollers: int, long_poll_seconds: float) -> float:
    """Return the requests of a month in which no message comes.

    Args:
        pollers: How many pollers wait.
        long_poll_seconds: How long each of their requests waits.
    """
    return pollers * SECONDS_PER_MONTH / long_poll_seconds


def tiered_dollars(requests: float, tiers: list[SqsTier]) -> float:
    """Return the price of requests of which each thousand million is cheaper than the one before.

    Args:
        requests: How many, the free ones left out; below 0 it is nothing.
        tiers: The price up to so many, in order.
    """
    dollars = 0.0
    floor = 0.0
    for tier in tiers:
        in_tier = max(0.0, min(requests, tier.up_to_requests) - floor)
        dollars += in_tier * tier.dollars_per_million / 1e6
        floor = tier.up_to_requests
    return dollars
