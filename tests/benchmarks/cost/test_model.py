"""The formula, against figures that were computed by hand."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks.cost.assumptions import SqsTier, load_assumptions
from benchmarks.cost.model import Cost, idle_requests_per_month, log_bytes_per_row, tiered_dollars

SHIPPED = load_assumptions()
MEASURED = msgspec.structs.replace(
    SHIPPED.measured,
    message_bytes=170,
    job_cpu_microseconds=100,
    flink_cpu_factor=2,
    postgres_cpu_microseconds=35,
    table_bytes_per_row=200,
    index_bytes_per_row=20,
    ledger_bytes_per_row=100,
    ledger_index_bytes_per_row=40,
    log_bytes_per_row=400,
    page_image_bytes=6000,
)
OPERATION = msgspec.structs.replace(SHIPPED.operation, utilization=0.5, seconds_in_flight=1, checkpoint_seconds=300)
LIMITS = msgspec.structs.replace(SHIPPED.limits, in_flight_per_queue=120_000, rows_per_second_per_database=20_000)
PRICES = msgspec.structs.replace(
    SHIPPED.prices,
    sqs_free_requests_per_month=1_000_000,
    vcpu_hour=0.05,
    database_vcpu_hour=0.1,
    storage_gigabyte_month=0.1,
    sqs_tiers=[SqsTier(100e9, 0.40), SqsTier(200e9, 0.30), SqsTier(float("inf"), 0.24)],
)
ASSUMPTIONS = msgspec.structs.replace(SHIPPED, measured=MEASURED, operation=OPERATION, limits=LIMITS, prices=PRICES)

A_THOUSAND_A_SECOND = Cost(60_000, ASSUMPTIONS)
"""2.592 thousand million messages a month."""


def test_full_batches_take_a_tenth_of_the_requests() -> None:
    assert A_THOUSAND_A_SECOND.sqs_requests_per_month(10, 10) == pytest.approx(518.4e6)
    assert A_THOUSAND_A_SECOND.sqs_requests_per_month(1, 1) == pytest.approx(5_184e6)
    assert A_THOUSAND_A_SECOND.sqs_dollars(10, 10) == pytest.approx(517.4 * 0.40)


def test_a_request_is_billed_once_for_each_64_kib() -> None:
    large = msgspec.structs.replace(MEASURED, message_bytes=10_000)
    cost = Cost(60_000, msgspec.structs.replace(ASSUMPTIONS, measured=large))

    assert cost.sqs_requests_per_month(10, 10) == pytest.approx(2.592e9 * (2 / 10 + 1 / 10))


def test_requests_get_cheaper_tier_by_tier_and_the_free_ones_cost_nothing() -> None:
    assert tiered_dollars(250e9, PRICES.sqs_tiers) == pytest.approx(40_000 + 30_000 + 12_000)
    assert tiered_dollars(-5, PRICES.sqs_tiers) == 0


def test_an_idle_poller_makes_a_request_for_each_long_poll() -> None:
    assert idle_requests_per_month(pollers=2, long_poll_seconds=20) == 259_200


def test_cores_follow_from_cpu_per_message() -> None:
    assert A_THOUSAND_A_SECOND.job_cores == pytest.approx(0.2)
    assert A_THOUSAND_A_SECOND.flink_slots == 1
    assert Cost(6_000_000, ASSUMPTIONS).flink_slots == 40
    assert Cost(6_000_000, ASSUMPTIONS).job_dollars == pytest.approx(40 * 0.05 * 720)


def test_a_queue_holds_so_many_in_flight_and_a_database_takes_so_many_rows() -> None:
    assert (A_THOUSAND_A_SECOND.queues, A_THOUSAND_A_SECOND.databases) == (1, 1)
    assert (Cost(10_000_000, ASSUMPTIONS).queues, Cost(10_000_000, ASSUMPTIONS).databases) == (2, 9)


def test_database_cores_are_at_least_one_a_server() -> None:
    assert A_THOUSAND_A_SECOND.database_cores == 1
    assert Cost(10_000_000, ASSUMPTIONS).database_cores == 12


def test_table_and_index_grow_by_the_day_and_the_ledger_does_not() -> None:
    assert A_THOUSAND_A_SECOND.table_gigabytes(30) == pytest.approx(518.4)
    assert A_THOUSAND_A_SECOND.index_gigabytes(30) == pytest.approx(51.84)
    assert A_THOUSAND_A_SECOND.ledger_gigabytes(1) == pytest.approx(8.64)
    assert A_THOUSAND_A_SECOND.ledger_gigabytes(30) == pytest.approx(146.88)
    assert A_THOUSAND_A_SECOND.ledger_gigabytes(365) == pytest.approx(146.88)
    assert A_THOUSAND_A_SECOND.storage_dollars(30) == pytest.approx(71.712)
    assert A_THOUSAND_A_SECOND.gigabytes_changed_at_random == pytest.approx(3.456)


def test_a_short_index_adds_little_to_the_log_and_a_long_one_a_page_a_row() -> None:
    short = log_bytes_per_row(rows_of_the_day=2_048, rows_between_checkpoints=300_000, measured=MEASURED)
    long = log_bytes_per_row(rows_of_the_day=1e12, rows_between_checkpoints=300_000, measured=MEASURED)

    assert short == pytest.approx(400 + 10 * 6000 / 300_000)
    assert long == pytest.approx(6_400, rel=0.001)


@pytest.mark.parametrize(
    ("rows_of_the_day", "index_bytes", "log_bytes", "measured_after_checkpoint"),
    [(100_000, 43.3, 388, 664), (300_000, 38.9, 387, 1_245), (1_000_000, 39.5, 388, 2_872)],
)
def test_the_log_follows_what_was_measured_for_10_000_rows_after_a_checkpoint(
    rows_of_the_day: int, index_bytes: float, log_bytes: float, measured_after_checkpoint: float
) -> None:
    measured = msgspec.structs.replace(MEASURED, ledger_index_bytes_per_row=index_bytes, log_bytes_per_row=log_bytes)

    predicted = log_bytes_per_row(rows_of_the_day, 10_000, measured)

    assert predicted == pytest.approx(measured_after_checkpoint, rel=0.07)
