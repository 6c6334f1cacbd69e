"""The job in several processes of one machine: one Python process uses one core.

Each process is a whole job of its own on the same queue: the ledger is all they meet at. The process that was started
only watches them, adds up their counts and passes signals on. It forks them once it has imported what a job needs, so
that all of them have that in memory once.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from maskline.core_dumps import forbid_core_dumps
from maskline.errors import MasklineError, StopTimedOutError
from maskline.pipeline.beam_options import parse_beam_options, resolve_runner
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.logs import configure_logging, name_run_in_logs
from maskline.pipeline.run_progress import showing_progress
from maskline.pipeline.run_state import RunState
from maskline.pipeline.runners.in_process import (
    JobFailedError,
    LastResort,
    RunMonitor,
    RunResult,
    new_run,
    run_job,
    stop_seconds,
)
from maskline.pipeline.stopping import STOPPED_EXIT_CODE, end_process, stopping_on_signals
from maskline.transforms.run_context import RunContext

if TYPE_CHECKING:
    from maskline.pipeline.telemetry.job_metrics import Follow

REPORT_SECONDS = 0.25

KILL_SECONDS = 4.0
"""How much longer than one job in one process a process may take to stop before it is killed."""

JOIN_SECONDS = 5.0
START, STOP = "start", "stop"

StartMethod = Literal["fork", "spawn"]
START_METHOD: StartMethod = "fork" if sys.platform == "linux" else "spawn"
"""Elsewhere than on Linux, libraries of the system do not survive a fork."""

Report = RunState | MasklineError
"""What a worker process tells the watching one: its state, and at last why it failed, if it did."""


@contextlib.contextmanager
def waiting_workers(
    job: JobSettings,
    beam_arguments: Sequence[str],
    processes: int,
    log_level: str,
    start_method: StartMethod = START_METHOD,
) -> Iterator[list[Worker]]:
    """Make processes that wait to run the job, and end them with the block.

    They are to be made before this process has threads, of which a forked one finds only the locks, and connections,
    which it would share. (numpy and pyarrow start a thread each when they are imported, and know of forks.)

    Args:
        job: The job.
        beam_arguments: Beam's options as they were given, for an engine that runs in a process.
        processes: How many.
        log_level: What the processes log, as in `configure_logging`.
        start_method: `multiprocessing`'s name for how processes are made.
    """
    gc.freeze()  # to look for garbage would write to every object, and so copy every page
    workers: list[Worker] = []
    try:
        for number in range(1, processes + 1):
            inherited = [worker.connection for worker in workers]
            workers.append(Worker(number, job, beam_arguments, log_level, start_method, inherited))
        yield workers
    finally:
        for worker in workers:
            worker.close()


def run_processes(workers: Sequence[Worker], console: Console, follow: Follow = lambda _state: None) -> RunResult:
    """Run the job in processes that wait for it, show their progress together, and return how they went.

    Signals stop them as they stop one. Where one process fails, or is killed, the others end in an orderly way.

    Args:
        workers: The processes. Their job has been checked.
        console: Where progress is shown.
        follow: Is told what returns the state of all processes together.

    Raises:
        MasklineError: A process failed; what it had not deleted is in the queue still.
    """
    stopping, is_ending = threading.Event(), threading.Event()
    last_resort = LastResort(is_ending)
    for worker in workers:
        worker.start()
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
            if last_resort.is_due(max(worker.stop_seconds for worker in workers) + KILL_SECONDS):
                for worker in running:
                    worker.kill()
            monitor.snapshot()
    failures = [worker.failure for worker in workers if worker.failure]
    if failures:
        raise failures[0]
    return RunResult(monitor.snapshot().counts, monitor.seconds, stopping.is_set())


class Worker:
    """One worker process, seen from the process that watches it. It waits until it is started.

    Args:
        number: Which of them it is, from 1.
        job: The job.
        beam_arguments: Beam's options.
        log_level: What it logs.
        start_method: `multiprocessing`'s name for how it is made.
        inherited: The connections to other workers. A process that was forked has a copy of each, and would keep them
            open when this one has ended.
    """

    def __init__(
        self,
        number: int,
        job: JobSettings,
        beam_arguments: Sequence[str],
        log_level: str,
        start_method: StartMethod,
        inherited: Sequence[Connection],
    ) -> None:
        self._number = number
        self.stop_seconds = stop_seconds(job)
        self.connection, remote = multiprocessing.Pipe()
        self.state = RunState.at_start(time.monotonic())
        self.failure: MasklineError | None = None
        self.is_running = True
        self._is_told_to_stop = False
        unwanted = (*inherited, self.connection) if start_method == "fork" else ()
        make: Callable[..., BaseProcess] = (
            multiprocessing.get_context("fork").Process
            if start_method == "fork"
            else multiprocessing.get_context("spawn").Process
        )
        self._process = make(
            target=_worker_main,
            args=(remote, job, tuple(beam_arguments), log_level, unwanted),
            name=f"maskline-{number}",
            daemon=True,
        )
        with _ignoring_interrupts():  # the new process inherits that, and only this one answers to Ctrl-C
            self._process.start()
        remote.close()

    def start(self) -> None:
        """Have the process run the job."""
        self.state = RunState.at_start(time.monotonic())
        self._send(START)

    def read_reports(self) -> None:
        """Read what the process has reported, and if it has ended, find out how."""
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
        """Tell the process to stop in an orderly way; later calls do nothing."""
        if not self._is_told_to_stop:
            self._is_told_to_stop = True
            self._send(STOP)

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def close(self) -> None:
        """End the process, if it has not ended: it finds its connection closed."""
        self.connection.close()
        self._process.join(JOIN_SECONDS)
        self._process.kill()

    def _send(self, command: str) -> None:
        with contextlib.suppress(OSError):  # it has just ended
            self.connection.send(command)


def _worker_main(
    connection: Connection,
    job: JobSettings,
    beam_arguments: Sequence[str],
    log_level: str,
    unwanted: Sequence[Connection],
) -> None:
    forbid_core_dumps()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is nothing to put in order yet
    for other in unwanted:
        other.close()
    try:
        connection.recv()  # START, which is the first of what is ever sent
    except EOFError:
        return
    configure_logging(log_level)
    name_run_in_logs(job.stream.name, job.queue.name)
    context = new_run()
    signal.signal(signal.SIGTERM, lambda _number, _frame: context.stopping.set())
    threading.Thread(
        target=_stop_listener, args=(connection, context.stopping), name="stop-listener", daemon=True
    ).start()
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
    """Stop the run when told to, and end the process if its watcher is gone: what is not deleted is delivered again."""
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
