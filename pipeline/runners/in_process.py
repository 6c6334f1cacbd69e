"""Running the job in this process: until its end, or until a signal asks it to stop."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from rich.console import Console

from maskline.errors import MasklineError, StopTimedOutError
from maskline.futures import in_background
from maskline.pipeline.beam_options import Runner
from maskline.pipeline.garbage_collection import collecting_seldom
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.run_progress import showing_progress
from maskline.pipeline.run_state import RunState
from maskline.pipeline.runners.fn_api_runner import patch_metric_consolidation
from maskline.pipeline.runners.quick_start import remember_answers
from maskline.pipeline.runners.state_sampling import sampling_often
from maskline.pipeline.stopping import stopping_on_signals
from maskline.pipeline.summary import RunCounts
from maskline.pipeline.tracebacks import suppress_own_tracebacks
from maskline.sqs.lease import VisibilityLease
from maskline.transforms.run_context import RunContext
from maskline.watchdog import WATCHDOG

STOP_SECONDS = 20.0
"""How long a job may take to stop in an orderly way, where its polls do."""

POLL_SECONDS_OF_A_STOP = 15
"""How much of that a poll may take that is under way; a stop waits as much longer for one that takes longer."""

GIVE_BACK_SECONDS = 3.0
"""How long the queue may take to take the messages back from a job that did not stop."""


logger = logging.getLogger(__name__)


class JobFailedError(MasklineError):
    """The job failed for a reason that maskline does not know; the log has what the runner said."""


class RunResult(msgspec.Struct, frozen=True):
    """The result of a run.

    Attributes:
        counts: What became of the messages.
        seconds: From the start to the last change of a count; waiting for the end of the queue does not count.
        was_stopped: Whether a signal ended it.
    """

    counts: RunCounts
    seconds: float
    was_stopped: bool


Monitor = Callable[[RunContext, Callable[[], RunState]], contextlib.AbstractContextManager[None]]
"""What looks after a run while it lasts, given it and what returns its state: it shows that, and stops the run."""


def console_monitor(console: Console) -> Monitor:
    """Return a monitor that shows the progress of a run on a console, and stops the run on a signal.

    The first SIGINT or SIGTERM ends it in an orderly way: nothing more is received, the micro-batch in flight is
    committed and deleted. A second one ends the process at once; nothing is lost then either.

    Args:
        console: Where progress is shown.
    """

    @contextlib.contextmanager
    def monitoring(context: RunContext, state: Callable[[], RunState]) -> Iterator[None]:
        with stopping_on_signals(context.stopping, console), showing_progress(state, console):
            yield

    return monitoring


def new_run() -> RunContext:
    """Return the context of a new run in this process, where messages are both received and deleted."""
    return RunContext(tracks_in_flight=True)


def run_job(
    job: JobSettings, options: PipelineOptions, runner: Runner, monitor: Monitor, context: RunContext
) -> RunResult:
    """Run the job in this process, and return how it went.

    Args:
        job: The job.
        options: Beam's options.
        runner: What runs it.
        monitor: What looks after it meanwhile; see `console_monitor`.
        context: The run, as `new_run` makes it. Its counts go on where an earlier job of the run left them.

    Raises:
        StopTimedOutError: It was asked to stop and did not within `stop_seconds`; this process has threads that hang.
        MasklineError: The job failed.
    """
    progress = RunMonitor(time.monotonic, lambda: RunState.of(context))
    options.view_as(StandardOptions).runner = runner.name
    with remember_answers():
        pipeline = beam.Pipeline(options=options)
        build(pipeline, job, context)
        run_to_end = _started(pipeline, runner)
        with (
            suppress_own_tracebacks(),
            monitor(context, progress.snapshot),
            patch_metric_consolidation(),
            sampling_often(),
            collecting_seldom(),
        ):
            # Signals are handled in the main thread, which must not hold a lock that the handler wants.
            thread = _RunnerThread(run_to_end)
            thread.start()
            last_resort = LastResort(context.stopping)
            while thread.is_alive():
                thread.join(0.1)
                progress.snapshot()
                if last_resort.is_due(stop_seconds(job)):
                    raise _stop_timed_out(job, context)
            _give_back(job, context, job.receive.long_poll_seconds + GIVE_BACK_SECONDS)
    if thread.failure is not None:
        raise context.failure or _unknown_failure(thread.failure) from None
    return RunResult(progress.snapshot().counts, progress.seconds, context.stopping.is_set())


def stop_seconds(job: JobSettings) -> float:
    """Return how long a job may take to stop in an orderly way.

    Args:
        job: The job.
    """
    return STOP_SECONDS + max(0, job.receive.long_poll_seconds - POLL_SECONDS_OF_A_STOP)


def _started(pipeline: beam.Pipeline, runner: Runner) -> Callable[[], object]:
    """Return what runs a pipeline to its end, in another thread, once all that needs the main thread is done."""
    if runner.name == "PrismRunner":
        # Its job server takes SIGINT for itself here; stopping_on_signals then takes it back.
        wait_until_finish: Callable[[], object] = pipeline.run().wait_until_finish
        return wait_until_finish
    return lambda: pipeline.run().wait_until_finish()


class LastResort:
    """Says when a job that was asked to stop has had enough time to do so.

    Args:
        stopping: Set when it was asked.
        clock: Monotonic time in seconds.
    """

    def __init__(self, stopping: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._stopping = stopping
        self._clock = clock
        self._asked_at: float | None = None

    def is_due(self, seconds: float) -> bool:
        """Return whether a number of seconds have passed since the stop was first seen here."""
        if self._asked_at is None and self._stopping.is_set():
            self._asked_at = self._clock()
        return self._asked_at is not None and self._clock() - self._asked_at >= seconds


def _stop_timed_out(job: JobSettings, context: RunContext) -> StopTimedOutError:
    waits = ", ".join(WATCHDOG.slow_waits()) or "something that is not known"
    logger.error("asked to stop %.0f s ago, the job waits for: %s", stop_seconds(job), waits)
    _give_back(job, context, GIVE_BACK_SECONDS)
    return StopTimedOutError(
        f"the job did not stop within {stop_seconds(job):.0f} s and was ended, waiting for: {waits}; what it had not "
        "deleted is in the queue still"
    )


def _give_back(job: JobSettings, context: RunContext, seconds: float) -> None:
    """Give back to the queue what the run still keeps from others, and wait for that so many seconds at most.

    What was received by a job that failed, and was not asked to stop, comes back after its visibility time-out: whoever
    starts the job again at once would else soon have its messages in the dead-letter queue.
    """
    given_back = context.close_keepers()
    if context.stopping.is_set() and context.in_flight.count():
        lease = VisibilityLease(job.queue, job.receive.visibility_timeout_seconds)
        given_back.append(in_background(lambda: lease.release([], context.in_flight), "give-back"))
    wait(given_back, seconds)


def _unknown_failure(failure: BaseException) -> JobFailedError:
    logger.error("the runner failed", exc_info=failure)
    return JobFailedError(
        f"the job failed ({type(failure).__name__}); what it had not deleted is in the queue still. The log above says "
        "where"
    )


class _RunnerThread(threading.Thread):
    def __init__(self, run: Callable[[], object]) -> None:
        super().__init__(name="beam-runner", daemon=True)
        self._run_pipeline = run
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._run_pipeline()
        except BaseException as error:
            self.failure = error


class RunMonitor:
    """Reads the state of a run, and remembers when its counts last changed.

    Args:
        clock: Monotonic time in seconds.
        state: Returns the state of the run.
    """

    def __init__(self, clock: Callable[[], float], state: Callable[[], RunState]) -> None:
        self._clock = clock
        self._state = state
        self._started = self._last_change = clock()
        self._last_counts = state().counts

    def snapshot(self) -> RunState:
        """Return the state of the run."""
        state = self._state()
        if state.counts != self._last_counts:
            self._last_change = self._clock()
        self._last_counts = state.counts
        return state

    @property
    def seconds(self) -> float:
        """How long the run was active, in seconds: from its start to the last change of a count."""
        return self._last_change - self._started
