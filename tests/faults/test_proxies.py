"""The proxies themselves: what they pass on is whole, and they break what they are told to and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from maskline.postgres.connection import open_connection
from maskline.sqs import QueueAddress, SqsQueue
from tests.faults import sqs_faults
from tests.faults.case import FaultCase
from tests.faults.points import Direction
from tests.faults.postgres_wire import dsn_through, query_of
from tests.maskline.postgres.records import connected, value_of


def test_without_a_fault_a_database_answers_through_its_proxy(case: FaultCase) -> None:
    connection = open_connection(dsn_through(case.database_line, case.dsn))

    with connection.cursor() as cursor:
        cursor.execute("SELECT repeat('x', 1000000)")
        ((text,),) = cursor.fetchall()
    connection.close()

    assert text == "x" * 1_000_000


def test_a_refusing_proxy_answers_again_on_the_same_port_when_it_accepts(case: FaultCase) -> None:
    dsn = dsn_through(case.database_line, case.dsn)

    case.database_line.refuse()
    with pytest.raises(psycopg.OperationalError, match="Connection refused"):
        open_connection(dsn)
    case.database_line.accept()

    open_connection(dsn).close()


def test_a_query_cut_before_it_arrives_is_not_done_and_the_next_one_is(case: FaultCase) -> None:
    dsn = dsn_through(case.database_line, case.dsn)
    case.database_line.cut_at(query_of(b"CREATE TABLE"))

    for _ in range(2):
        connection = open_connection(dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            try:
                cursor.execute("CREATE TABLE made_once (number integer)")
            except psycopg.OperationalError:
                assert case.database_line.cuts == 1
        connection.close()

    with connected(case.dsn) as database:
        assert value_of(database, "SELECT count(*) FROM made_once") == 0


def test_a_conversation_is_cut_at_the_very_byte(case: FaultCase) -> None:
    case.database_line.cut_at_byte = (Direction.TO_CLIENT, 100)

    with pytest.raises(psycopg.OperationalError):
        open_connection(dsn_through(case.database_line, case.dsn))

    assert case.database_line.cuts == 1


def test_a_conversation_held_at_a_point_goes_on_when_it_is_released(case: FaultCase) -> None:
    hold = case.database_line.hold_at(query_of(b"SELECT 4711"))
    with connected(dsn_through(case.database_line, case.dsn)) as connection, ThreadPoolExecutor(1) as executor:
        answer = executor.submit(value_of, connection, "SELECT 4711")
        hold.await_reached()
        is_answered_while_held = answer.done()
        hold.release()

        assert answer.result(timeout=30) == 4711
    assert not is_answered_while_held


def test_the_queues_proxy_counts_deliveries_and_those_beyond_the_first(case: FaultCase) -> None:
    queue = _queue_through_proxies(case)
    case.send(3)

    for _ in range(2):
        assert len(queue.receive(10, 0, 0)) == 3

    assert case.sqs.deliveries.total() == 6
    assert case.sqs.redelivered == 3


def test_an_injected_error_reaches_the_client_so_often_and_no_more(case: FaultCase) -> None:
    queue = _queue_through_proxies(case)
    case.send(1)
    case.sqs.inject("ReceiveMessage", sqs_faults.SERVICE_UNAVAILABLE, times=2)

    messages = queue.receive(10, 0, 0)  # boto3 itself tries again

    assert len(messages) == 1
    assert (case.sqs.requests["ReceiveMessage"], case.sqs.faults["ReceiveMessage"]) == (3, 2)


def _queue_through_proxies(case: FaultCase) -> SqsQueue:
    return SqsQueue.open(QueueAddress(case.queue.url, f"http://127.0.0.1:{case.queue_line.port}"))
