"""What is counted reaches Beam's metrics and the tally of this process alike."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline

from maskline.records import Reason
from maskline.sqs import Queue
from maskline.streams.definition import StreamDefinition
from maskline.transforms import WriteRejections, WriteToPostgres, metrics
from maskline.transforms.metrics import MASKED, TALLY, JobCounter, JobDistribution, Tally, rejected_for
from maskline.transforms.sqs import _Delete

BATCH_SIZE = JobDistribution("batch_size")


class CountEach(beam.DoFn):
    """Counts elements as masked, and each as the size of a batch."""

    def process(self, element: int) -> Iterator[int]:
        MASKED.add()
        JobCounter("rejected").add(0)
        rejected_for(Reason.TOO_LONG).add(2)
        BATCH_SIZE.update(element)
        yield element


def test_the_tally_counts_what_beam_counts() -> None:
    pipeline = BeamPipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([5, 7, 9]) | beam.ParDo(CountEach())

    result = pipeline.run()
    result.wait_until_finish()

    found = result.metrics().query(MetricsFilter().with_namespace("maskline"))
    assert {each.key.metric.name: each.committed for each in found["counters"]} == {
        "masked": 3,
        "rejected_too_long": 6,
        "batch_size_sum": 21,
        "batch_size_count": 3,
    }
    assert TALLY.counts() == {"masked": 3, "rejected_too_long": 6}
    (sizes,) = found["distributions"]
    assert (sizes.key.metric.name, sizes.committed.sum, sizes.committed.min) == ("batch_size", 21, 5)
    assert TALLY.latest("batch_size") in (5, 7, 9)


def test_a_name_never_counted_counts_nothing() -> None:
    tally = Tally()

    assert tally.counts()["masked"] == 0
    assert tally.latest("batch_size") is None


def test_the_latest_value_of_a_distribution_is_kept() -> None:
    tally = Tally()

    tally.observe("batch_size", 500)
    tally.observe("batch_size", 3)

    assert tally.latest("batch_size") == 3


def test_counts_that_were_handed_out_do_not_change_later() -> None:
    tally = Tally()
    tally.add("masked", 1)

    counts = tally.counts()
    tally.add("masked", 1)

    assert counts["masked"] == 1
    assert tally.counts()["masked"] == 2


def test_threads_lose_no_count() -> None:
    tally = Tally()

    with ThreadPoolExecutor(8) as threads:
        for _ in range(8_000):
            threads.submit(tally.add, "masked", 1)

    assert tally.counts()["masked"] == 8_000


def test_the_next_job_of_the_process_counts_from_nothing() -> None:
    MASKED.add(3)
    BATCH_SIZE.update(500)

    TALLY.reset()

    assert TALLY.counts() == {}
    assert TALLY.latest("batch_size") is None


def test_nothing_is_counted_for_none() -> None:
    MASKED.add(0)

    assert "masked" not in TALLY.counts()


def test_a_declared_counter_is_there_and_counts_nothing() -> None:
    class Declare(beam.DoFn):
        def process(self, element: int) -> None:
            JobCounter("delete_failures").declare()

    pipeline = BeamPipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([5]) | beam.ParDo(Declare())

    result = pipeline.run()
    result.wait_until_finish()

    (found,) = result.metrics().query(MetricsFilter().with_namespace("maskline"))["counters"]
    assert (found.key.metric.name, found.committed) == ("delete_failures", 0)
    assert TALLY.counts() == {}


def test_the_names_that_dashboards_read_stay_what_they_are(user_logins: StreamDefinition) -> None:
    dsn = "postgresql://writer@db/logins"
    counting = [
        metrics,
        WriteToPostgres(user_logins, dsn)._write,
        WriteRejections(user_logins, dsn)._write,
        _Delete(_no_queue, branch="", overlapping=False),
    ]
    for each in (value for owner in counting for value in vars(owner).values()):
        if isinstance(each, JobCounter):
            each.add()
        elif isinstance(each, JobDistribution):
            each.update(1)

    counted = set(TALLY.counts())
    distributions = ("batch_size", "commit_milliseconds", "end_to_end_latency_milliseconds")
    observed = [TALLY.latest(name) for name in distributions]

    assert counted == {
        "received",
        "masked",
        "extra_fields",
        "rejected",
        "written",
        "duplicates",
        "deleted",
        "delete_failures",
        "db_retries",
    }
    assert observed == [1, 1, 1]


def _no_queue() -> Queue:
    raise AssertionError("nothing is deleted here")


def test_branches_have_metrics_of_their_own_and_are_tallied_together() -> None:
    class CountBranches(beam.DoFn):
        def __init__(self) -> None:
            self._rows = JobCounter("deleted")
            self._rejections = JobCounter("deleted", branch="rejections")

        def process(self, element: int) -> None:
            self._rows.add(element)
            self._rejections.add(1)

    pipeline = BeamPipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([5, 7]) | beam.ParDo(CountBranches())

    result = pipeline.run()
    result.wait_until_finish()

    found = result.metrics().query(MetricsFilter().with_namespace("maskline"))["counters"]
    assert {each.key.metric.name: each.committed for each in found} == {"deleted": 12, "rejections_deleted": 2}
    assert TALLY.counts() == {"deleted": 14}
