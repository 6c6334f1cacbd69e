"""One measured transfer: a full queue, whatever empties it into the table, and what that took."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable

import msgspec
from rich.progress import Progress

from benchmarks.consumers import Consumers, Sample, family_of, sample_of
from benchmarks.messages import USUAL_BYTES, logins
from benchmarks.sqs_requests import preload
from benchmarks.table_watch import TableWatch
from benchmarks.workbench import TABLE, Workbench

LOOK_SECONDS = 0.01
MAX_SECONDS = 1800


class Load(msgspec.Struct, frozen=True):
    """What is transferred and by what.

    Attributes:
        messages: How many messages.
        size: The bytes of each.
        jobs: How many jobs empty the queue side by side.
        options: Options of each job.
        command: What the shell runs in place of the job, or None. It finds the parts in its environment, as
            `Workbench.environment` names them, and is stopped when every message is a row.
    """

    messages: int
    size: int = USUAL_BYTES
    jobs: int = 1
    options: tuple[str, ...] = ()
    command: str | None = None

    def commands(self, bench: Workbench, queue_url: str, *job_options: str) -> list[list[str]]:
        """Return the command line of each program that empties the queue.

        Args:
            bench: The parts.
            queue_url: The queue.
            job_options: Options of a job beside its own.
        """
        if self.command is not None:
            return [["/bin/sh", "-c", f"exec {self.command}"]]
        return [bench.job(queue_url, *job_options, *self.options)] * self.jobs


class Transfer(msgspec.Struct, frozen=True):
    """What a transfer took.

    Attributes:
        started_at: When the program was started, in seconds since the epoch.
        arrivals: When each row became visible, in order.
        samples: What the program used, again and again.
        cpu_seconds: The CPU time of the program from its start to its end.
        queue_cpu_seconds: The CPU time of the SQS server meanwhile.
        postgres_cpu_seconds: The CPU time of the database server meanwhile.
    """

    started_at: float
    arrivals: list[float]
    samples: list[Sample]
    cpu_seconds: float
    queue_cpu_seconds: float
    postgres_cpu_seconds: float

    @property
    def messages(self) -> int:
        """How many messages were transferred."""
        return len(self.arrivals)

    @property
    def seconds_to_first_row(self) -> float:
        """From the start of the program to the first row."""
        return self.arrivals[0] - self.started_at

    @property
    def seconds(self) -> float:
        """From the first row to the last."""
        return self.arrivals[-1] - self.arrivals[0]

    @property
    def messages_per_second(self) -> float:
        """Rows per second from the first to the last; those of the first commit took no part of that time."""
        first_commit = bisect.bisect_right(self.arrivals, self.arrivals[0])
        return (self.messages - first_commit) / self.seconds if self.seconds else float("nan")

    @property
    def messages_per_second_10_to_90(self) -> float:
        """Rows per second from the tenth to the ninetieth of a hundred, without the ends and a tail of stragglers."""
        first, last = self._steady()
        seconds = self.arrivals[last] - self.arrivals[first]
        return (last - first) / seconds if seconds else float("nan")

    @property
    def cpu_microseconds(self) -> float:
        """CPU time per message, the program's start and end included."""
        return self.cpu_seconds / self.messages * 1e6

    @property
    def cpu_microseconds_10_to_90(self) -> float:
        """CPU time per message from the tenth to the ninetieth of a hundred: what one message more costs."""
        first, last = self._steady()
        used = self.cpu_seconds_at(self.arrivals[last]) - self.cpu_seconds_at(self.arrivals[first])
        return used / (last - first) * 1e6

    @property
    def peak_resident_megabytes(self) -> float:
        """The most resident memory of the program, all its processes together."""
        return max((sample.resident_bytes for sample in self.samples), default=0) / 1e6

    @property
    def peak_proportional_megabytes(self) -> float:
        """The same with each shared page divided among those who share it."""
        return max((sample.proportional_bytes for sample in self.samples), default=0) / 1e6

    def cpu_seconds_at(self, moment: float) -> float:
        """Return the CPU time of the program up to a moment, between two samples in proportion.

        Args:
            moment: Seconds since the epoch.
        """
        place = bisect.bisect_left(self.samples, moment, key=lambda sample: sample.at)
        if place in (0, len(self.samples)):
            return self.samples[min(place, len(self.samples) - 1)].cpu_seconds
        before, after = self.samples[place - 1 : place + 1]
        share = (moment - before.at) / (after.at - before.at)
        return before.cpu_seconds + share * (after.cpu_seconds - before.cpu_seconds)

    def _steady(self) -> tuple[int, int]:
        return self.messages // 10, self.messages * 9 // 10


def transfer(bench: Workbench, load: Load, progress: Progress, title: str) -> Transfer:
    """Fill a queue, have it emptied into the table, and return what that took.

    Args:
        bench: The parts.
        load: What is transferred and by what.
        progress: Shows how far it is.
        title: What it is called there.

    Raises:
        ConsumerFailedError: The program failed, left messages, or did not get done.
    """
    queue_url = bench.new_queue()
    bench.empty_table()
    sending = progress.add_task(f"{title}: sending", total=load.messages)
    bodies = logins(load.messages, load.size)
    preload(bench.sqs.endpoint, queue_url, bodies, lambda count: progress.advance(sending, count))
    progress.remove_task(sending)
    servers = (bench.sqs.pid, bench.postgres_pid)
    before = [_cpu_of(pid) for pid in servers]
    commands = load.commands(bench, queue_url, "--until_empty")
    with Consumers(commands, bench.environment(queue_url)) as consumers:
        with TableWatch(bench.connect, TABLE, LOOK_SECONDS) as watch:
            task = progress.add_task(title, total=load.messages)
            _wait_for_rows(load, consumers, watch, lambda rows: progress.update(task, completed=rows))
            progress.remove_task(task)
            if load.command is not None:
                consumers.stop()
        arrivals = watch.arrivals()
        if len(arrivals) != load.messages:
            raise consumers.gave_up(f"{load.messages:,} messages became {len(arrivals):,} rows")
    queue_cpu, postgres_cpu = (_cpu_of(pid) - used for pid, used in zip(servers, before, strict=True))
    return Transfer(consumers.started_at, arrivals, consumers.samples, consumers.cpu_seconds, queue_cpu, postgres_cpu)


def _wait_for_rows(load: Load, consumers: Consumers, watch: TableWatch, show: Callable[[int], None]) -> None:
    """Return when the job has ended, or when another program has made a row of every message.

    Args:
        load: What is transferred and by what.
        consumers: The program.
        watch: Watches the table.
        show: Is told how many rows there are.

    Raises:
        ConsumerFailedError: It failed, or did not get done.
    """
    give_up = time.monotonic() + MAX_SECONDS
    while not consumers.have_ended and (load.command is None or watch.rows < load.messages):
        if time.monotonic() > give_up:
            raise consumers.gave_up(f"not done after {MAX_SECONDS} s")
        show(watch.rows)
        time.sleep(0.05)


def _cpu_of(pid: int) -> float:
    return sample_of(family_of(pid), 0).cpu_seconds
