"""The numbers that a cost is computed from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from maskline.errors import UsageError

ASSUMPTIONS = Path(__file__).with_name("assumptions.toml")

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the benchmarks measured; see the comments of the file."""

    message_bytes: Positive
    job_cpu_microseconds: Positive
    flink_cpu_factor: Positive
    postgres_cpu_microseconds: Positive
    table_bytes_per_row: Positive
    index_bytes_per_row: NotNegative
    ledger_bytes_per_row: Positive
    ledger_index_bytes_per_row: Positive
    log_bytes_per_row: Positive
    page_image_bytes: Positive


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the job is operated; see the comments of the file."""

    messages_per_receive: Annotated[float, msgspec.Meta(ge=1, le=10)]
    messages_per_delete: Annotated[float, msgspec.Meta(ge=1, le=10)]
    pollers: Annotated[int, msgspec.Meta(ge=1)]
    long_poll_seconds: Annotated[float, msgspec.Meta(gt=0, le=20)]
    seconds_in_flight: Positive
    utilization: Share
    checkpoint_seconds: Positive


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one queue and one database take; see the comments of the file."""

    in_flight_per_queue: Positive
    rows_per_second_per_database: Positive


class SqsTier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price of the requests of a month up to so many."""

    up_to_requests: Positive
    dollars_per_million: NotNegative


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices in US dollars, of one region at one time."""

    region: str
    as_of: str
    sqs_free_requests_per_month: NotNegative
    sqs_tiers: Annotated[list[SqsTier], msgspec.Meta(min_length=1)]
    vcpu_hour: NotNegative
    database_vcpu_hour: NotNegative
    storage_gigabyte_month: NotNegative


class Assumptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    measured: Measured
    operation: Operation
    limits: Limits
    prices: Prices


def load_assumptions(file: Path = ASSUMPTIONS) -> Assumptions:
    """Read and check the assumptions.

    Args:
        file: A TOML file with every number of the one that is shipped.

    Raises:
        UsageError: It cannot be read, lacks a number, or has one that is out of range or not known.
    """
    try:
        return msgspec.toml.decode(file.read_bytes(), type=Assumptions)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"assumptions {file}: {error}") from None
