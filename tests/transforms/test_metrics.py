"""What is counted reaches Beam's metrics and the tally of this process alike."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline

from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.transforms import WriteRejections, WriteToPostgres
from maskline.transforms.deleting import _Delete
from maskline.transforms.mask import _MaskBySideInput
from maskline.transforms.metrics import JobCounter, JobDistribution
from maskline.transforms.reading import _Poll
from maskline.transforms.run_context import RunContext
from maskline.transforms.tally import HISTOGRAM_BOUNDS, Tally


class CountEach(beam.DoFn):
    """Counts elements as masked, and each as the size of a batch."""

    def __init__(self, context: RunContext) -> None:
        self._masked = JobCounter("masked", context)
        self._rejected = JobCounter("rejected", context)
        self._too_long = JobCounter("rejected_too_long", context)
        self._batch_size = JobDistribution("batch_size", context)

    def process(self, element: int) -> Iterator[int]:
        self._masked.add()
        self._rejected.add(0)
        self._too_long.add(2)
        self._batch_size.update(element)
        yield element


def test_the_tally_counts_what_beam_counts() -> None:
    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([5, 7, 9]) | beam.ParDo(CountEach(context))

    result = pipeline.run()
    result.wait_until_finish()

    found = result.metrics().query(MetricsFilter().with_namespace("maskline"))
    assert {each.key.metric.name: each.committed for each in found["counters"]} == {
        "masked": 3,
        "rejected_too_long": 6,
        "batch_size_sum": 21,
        "batch_size_count": 3,
    }
    assert context.tally.counts() == {"masked": 3, "rejected_too_long": 6}
    (sizes,) = found["distributions"]
    assert (sizes.key.metric.name, sizes.committed.sum, sizes.committed.min) == ("batch_size", 21, 5)
    histogram = context.tally.histograms()["batch_size"]
    assert (histogram.count, histogram.total) == (3, 21)


def test_a_name_never_counted_counts_nothing() -> None:
    tally = Tally()

    assert tally.counts()["masked"] == 0
    assert tally.histograms() == {}


def test_a_histogram_says_how_many_values_were_no_larger_than_each_bound() -> None:
    tally = Tally()

    tally.observe("batch_size", [500, 1])
    tally.observe("batch_size", [501, 9_999_999])

    histogram = tally.histograms()["batch_size"]
    assert dict(zip(HISTOGRAM_BOUNDS, histogram.up_to, strict=True)) == {
        **dict.fromkeys((1, 2, 5, 10, 20, 50, 100, 200), 1),
        500: 2,
        **dict.fromkeys((1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000), 3),
        **dict.fromkeys((1_000_000, 2_000_000, 5_000_000), 3),
    }
    assert (histogram.count, histogram.total) == (4, 10_001_001)


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


def test_nothing_is_counted_for_none() -> None:
    context = RunContext()

    JobCounter("masked", context).add(0)

    assert "masked" not in context.tally.counts()


def test_a_declared_counter_is_there_and_counts_nothing() -> None:
    class Declare(beam.DoFn):
        def __init__(self, context: RunContext) -> None:
            self._delete_failures = JobCounter("delete_failures", context)

        def process(self, element: int) -> None:
            self._delete_failures.declare()

    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([5]) | beam.ParDo(Declare(context))

    result = pipeline.run()
    result.wait_until_finish()

    (found,) = result.metrics().query(MetricsFilter().with_namespace("maskline"))["counters"]
    assert (found.key.metric.name, found.committed) == ("delete_failures", 0)
    assert context.tally.counts() == {}


def test_the_names_that_dashboards_read_stay_what_they_are(user_logins: StreamDefinition) -> None:
    dsn = "postgresql://writer@db/logins"
    context = RunContext()
    queue = QueueAddress("logins")
    counting = [
        _Poll(queue, ReceiveSettings(), False, context),
        _MaskBySideInput(user_logins, context),
        WriteToPostgres(user_logins, dsn, context=context)._write,
        WriteRejections(dsn, context=context)._write,
        _Delete(queue, "", False, context),
    ]
    for each in (value for owner in counting for value in vars(owner).values()):
        if isinstance(each, JobCounter):
            each.add()
        elif isinstance(each, JobDistribution):
            each.update(1)

    counted = set(context.tally.counts())
    distributions = ("batch_size", "commit_milliseconds", "end_to_end_latency_milliseconds")
    observed = [context.tally.histograms()[name].count for name in distributions]

    assert counted == {
        "received",
        "masked",
        "extra_fields",
        "invalid_values",
        "unvouched",
        "payload_delete_failures",
        "rejected",
        "written",
        "duplicates",
        "suppressed",
        "deleted",
        "delete_failures",
        "db_retries",
    }
    assert observed == [2, 2, 1]  # micro-batches of rejections are micro-batches


def test_branches_have_metrics_of_their_own_and_are_tallied_together() -> None:
    class CountBranches(beam.DoFn):
        def __init__(self, context: RunContext) -> None:
            self._rows = JobCounter("deleted", context)
            self._rejections = JobCounter("deleted", context, branch="rejections")

        def process(self, element: int) -> None:
            self._rows.add(element)
            self._rejections.add(1)

    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([5, 7]) | beam.ParDo(CountBranches(context))

    result = pipeline.run()
    result.wait_until_finish()

    found = result.metrics().query(MetricsFilter().with_namespace("maskline"))["counters"]
    assert {each.key.metric.name: each.committed for each in found} == {"deleted": 12, "rejections_deleted": 2}
    assert context.tally.counts() == {"deleted": 14}
