"""The job in several processes of one machine, for one Python process uses one core.

Each process is a whole job of its own on the same queue: they share nothing, and the unique index on ``message_id`` is
all they meet at. The process that was started only watches them, adds up their counts and passes signals on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from rich.console import Console

from maskline.core_dumps import forbid_core_dumps
from maskline.errors import MasklineError, StopTimedOutError
from maskline.pipeline.beam_options import parse_beam_options, resolve_runner
from maskline.pipeline.http.monitor import Follow
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.logs import configure_logging, name_run_in_logs
from maskline.pipeline.run_progress import showing_progress
from maskline.pipeline.run_state import RunState
from maskline.pipeline.runners.in_process import (
    STOP_SECONDS,
    JobFailedError,
    LastResort,
    RunMonitor,
    RunResult,
    new_run,
    run_job,
)
from maskline.pipeline.stopping import STOPPED_EXIT_CODE, end_process, stopping_on_signals
from maskline.transforms.run_context import RunContext

REPORT_SECONDS = 0.25

KILL_SECONDS = 4.0
"""How much longer than one job in one process a process may take to stop before it is killed."""

JOIN_SECONDS = 5.0
STOP = "stop"

Report = RunState | MasklineError
"""What a worker process tells the watching one: its state, and at last why it failed, if it did."""


def run_processes(
    job: JobSettings,
    beam_arguments: Sequence[str],
    processes: int,
    console: Console,
    log_level: str,
    follow: Follow = lambda _state: None,
) -> RunResult:
    """Run the job in several processes, show their progress together, and return how they went.

    Signals stop them as they stop one. Where one process fails, or is killed, the others end in an orderly way.

    Args:
        job: The job, checked.
        beam_arguments: Beam's options as they were given, for an engine that runs in a process.
        processes: How many, 2 or more.
        console: Where progress is shown.
        log_level: What the processes log, as in `configure_logging`.
        follow: Is told what returns the state of all processes together.

    Raises:
        MasklineError: A process failed; what it had not deleted is in the queue still.
    """
    stopping, is_ending = threading.Event(), threading.Event()
    last_resort = LastResort(is_ending)
    workers = [_Worker(number, job, beam_arguments, log_level) for number in range(1, processes + 1)]
    monitor = RunMonitor(time.monotonic, lambda: RunState.together([worker.state for worker in workers]))
    follow(lambda: RunState.together([worker.state for worker in workers]))
    with stopping_on_signals(stopping, console), showing_progress(monitor.snapshot, console):
        while running := [worker for worker in workers if worker.is_running]:
            wait([worker.connection for worker in running], timeout=REPORT_SECONDS)
            for worker in running:
                worker.read_reports()
            if stopping.is_set() or any(worker.failure for worker in workers):
                is_ending.set()
                for worker in running:
                    worker.stop()
            if last_resort.is_due(STOP_SECONDS + KILL_SECONDS):
                for worker in running:
                    worker.kill()
            monitor.snapshot()
    failures = [worker.failure for worker in workers if worker.failure]
    if failures:
        raise failures[0]
    return RunResult(monitor.snapshot().counts, monitor.seconds, stopping.is_set())


class _Worker:
    """One worker process, as the watching process sees it.

    Args:
        number: Which of them it is, from 1.
        job: The job.
        beam_arguments: Beam's options.
        log_level: What it logs.
    """

    def __init__(self, number: int, job: JobSettings, beam_arguments: Sequence[str], log_level: str) -> None:
        self._number = number
        self.connection, remote = multiprocessing.Pipe()
        self.state = RunState.at_start(time.monotonic())
        self.failure: MasklineError | None = None
        self.is_running = True
        self._is_told_to_stop = False
        self._process: BaseProcess = multiprocessing.get_context("spawn").Process(
            target=_worker_main,
            args=(remote, job, tuple(beam_arguments), log_level),
            name=f"maskline-{number}",
            daemon=True,
        )
        with _ignoring_interrupts():  # the new process inherits that, and only this one answers to Ctrl-C
            self._process.start()
        remote.close()

    def read_reports(self) -> None:
        """Take in what it has said; where it has ended, find out how."""
        try:
            while self.connection.poll():
                report: Report = self.connection.recv()
                if isinstance(report, RunState):
                    self.state = report
                else:
                    self.failure = report
        except (EOFError, OSError):
            self._process.join(JOIN_SECONDS)
            if self._process.exitcode is None:  # a thread of it hangs
                self._process.kill()
                self._process.join()
            self.is_running = False
            self.state = self.state.at_end()
            if self._process.exitcode != 0 and self.failure is None:
                self.failure = JobFailedError(
                    f"process {self._number} of the job ended with exit code {self._process.exitcode}; what it had not "
                    "deleted is in the queue still"
                )

    def stop(self) -> None:
        """Have it end in an orderly way, once."""
        if not self._is_told_to_stop:
            self._is_told_to_stop = True
            with contextlib.suppress(OSError):  # it has just ended
                self.connection.send(STOP)

    def kill(self) -> None:
        """End it, which does not stop."""
        self._process.kill()


def _worker_main(connection: Connection, job: JobSettings, beam_arguments: Sequence[str], log_level: str) -> None:
    forbid_core_dumps()
    configure_logging(log_level)
    name_run_in_logs(job.stream.name, job.queue.name)
    context = new_run()
    signal.signal(signal.SIGTERM, lambda _number, _frame: context.stopping.set())
    threading.Thread(target=_stop_listener, args=(connection, context.stopping), name="obey", daemon=True).start()
    options = parse_beam_options(beam_arguments)

    @contextlib.contextmanager
    def reporting(_: RunContext, state: Callable[[], RunState]) -> Iterator[None]:
        ended = threading.Event()
        reporter = threading.Thread(target=_report, args=(connection, state, ended), name="report", daemon=True)
        reporter.start()
        try:
            yield
        finally:
            ended.set()
            reporter.join()

    try:
        run_job(job, options, resolve_runner(options), reporting, context)
    except MasklineError as error:
        connection.send(error)
        if isinstance(error, StopTimedOutError):
            end_process(error.exit_code)
    else:
        connection.send(RunState.of(context))


def _report(connection: Connection, state: Callable[[], RunState], ended: threading.Event) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more; `_stop_listener` finds that, too
        while not ended.wait(REPORT_SECONDS):
            connection.send(state())


def _stop_listener(connection: Connection, stopping: threading.Event) -> None:
    """Stop when told to; where nobody is left to tell, end at once: what is not deleted comes back."""
    try:
        while connection.recv() == STOP:
            stopping.set()
    except (EOFError, OSError):
        os._exit(STOPPED_EXIT_CODE)


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
