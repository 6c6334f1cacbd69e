"""What a starter and its DoFns share: one object a run, which a job graph names and does not hold."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import apache_beam as beam
import pytest

from maskline.errors import DatabaseError, KeysetError, MasklineError
from maskline.records import Receipt
from maskline.sqs import QueueAddress
from maskline.transforms.metrics import JobCounter
from maskline.transforms.run_context import RunContext, run_context
from tests.beam_graph import graph_bytes
from tests.transforms.running import a_pipeline


class CountAndFail(beam.DoFn):
    """Counts elements in a run, and fails for a negative one."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._counter = JobCounter("masked", context)

    def process(self, element: int) -> Iterator[int]:
        self._counter.add(element)
        with self._context.reporting_failures():
            if element < 0:
                raise DatabaseError("table user_logins is not there")
        yield element


def test_a_new_run_is_neither_stopping_nor_failed_and_has_counted_nothing() -> None:
    context = RunContext()

    assert not context.stopping.is_set()
    assert context.failure is None
    assert context.tally.counts() == {}


class CountingKeeper:
    """Keeps messages from others, and counts how often it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_what_no_teardown_has_closed_is_closed_at_the_end_of_the_run() -> None:
    context, torn_down, left_open = RunContext(), CountingKeeper(), CountingKeeper()
    context.track_keeper(torn_down)
    context.track_keeper(left_open)
    context.close_keeper(torn_down)

    wait(context.close_keepers(), 60)

    assert (torn_down.closed, left_open.closed) == (1, 1)


def test_two_jobs_of_one_process_do_not_disturb_each_other() -> None:
    first, second = RunContext(), RunContext()

    for context, elements in ((first, [3]), (second, [4, -1])):
        pipeline = a_pipeline()
        pipeline | beam.Create(elements) | beam.ParDo(CountAndFail(context))
        if context is second:
            with pytest.raises(Exception, match="table user_logins is not there"):
                pipeline.run().wait_until_finish()
        else:
            pipeline.run().wait_until_finish()
    first.stopping.set()

    assert first.tally.counts() == {"masked": 3}
    assert first.failure is None
    assert isinstance(second.failure, DatabaseError)
    assert not second.stopping.is_set()


def test_a_dofn_finds_its_starter_by_what_it_was_pickled_as() -> None:
    context = RunContext(tracks_in_flight=True)

    arrived = pickle.loads(pickle.dumps(context))

    assert arrived is context


def test_on_a_worker_where_nobody_made_one_the_dofns_of_a_run_share_one() -> None:
    pickled = pickle.dumps(RunContext(tracks_in_flight=True))
    gc.collect()  # as if the starter were another process

    first, second = pickle.loads(pickled), pickle.loads(pickled)

    queue, receipt = QueueAddress("logins"), Receipt("message-1", "handle-1")
    first.in_flight.add(queue, [receipt])
    assert first is second
    assert first.in_flight.including(queue, []) == []


def test_threads_that_ask_at_once_get_one_and_the_same() -> None:
    with ThreadPoolExecutor(8) as threads:
        contexts = list(threads.map(run_context, ["asked for by eight"] * 200))

    assert len({id(context) for context in contexts}) == 1


def test_a_run_is_forgotten_when_nobody_holds_it_any_more() -> None:
    run_context("over").stopping.set()
    gc.collect()

    assert not run_context("over").stopping.is_set()


def test_no_two_runs_of_a_process_have_one_id() -> None:
    running = RunContext("nightly")

    with pytest.raises(ValueError, match="run_id 'nightly' is that of another run of this process"):
        RunContext("nightly")

    assert run_context("nightly") is running


def test_a_job_graph_names_the_run_and_holds_nothing_of_it() -> None:
    context = RunContext("the-run", tracks_in_flight=True)
    context.in_flight.add(QueueAddress("logins"), [Receipt("message-1", "handle-of-a-delivery")])
    context.failure = KeysetError("keyset env:KEYSET: is not set")
    pipeline = a_pipeline()
    pipeline | beam.Create([1]) | beam.ParDo(CountAndFail(context))

    graph = graph_bytes(pipeline)

    assert b"the-run" in graph
    assert b"handle-of-a-delivery" not in graph
    assert b"is not set" not in graph


def test_an_error_of_ours_is_kept_for_the_starter_and_still_fails_the_bundle() -> None:
    context = RunContext()
    error = DatabaseError("table user_logins is not there")

    with pytest.raises(DatabaseError) as raised, context.reporting_failures():
        raise error

    assert raised.value is error
    assert context.failure is error


def test_the_first_of_several_failures_is_kept() -> None:
    context = RunContext()
    failures: list[MasklineError] = [KeysetError("first"), DatabaseError("second")]

    for failure in failures:
        with pytest.raises(MasklineError), context.reporting_failures():
            raise failure

    assert context.failure is failures[0]


def test_an_error_that_is_not_ours_passes_and_is_not_kept() -> None:
    context = RunContext()

    with pytest.raises(ZeroDivisionError), context.reporting_failures():
        raise ZeroDivisionError

    assert context.failure is None
