"""What moves the messages while it is measured: the job as a user starts it, or any other program."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil

from maskline.errors import MasklineError
from maskline.pipeline.local.processes import stop_child

PROJECT = Path(__file__).parents[1]
SAMPLE_SECONDS = 0.05
FAMILY_SECONDS = 0.5
STOP_SECONDS = 60


class ConsumerFailedError(MasklineError):
    """What was measured ended before it was done, or did not end; its own words say why."""


class Sample(msgspec.Struct, frozen=True):
    """What a process tree used up to a moment.

    Attributes:
        at: The moment, in seconds since the epoch.
        cpu_seconds: Their user and system time, and that of the children they have outlived.
        resident_bytes: Their resident memory, shared pages counted in each.
        proportional_bytes: The same with each shared page divided among those who share it (PSS), as it was up to half
            a second before.
    """

    at: float
    cpu_seconds: float
    resident_bytes: int
    proportional_bytes: int = 0


class Consumers:
    """Programs that run side by side while the ``with`` block does, and what they use.

    Args:
        commands: The command line of each.
        environment: Their variables, beside those of this process.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        environment: dict[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._commands = commands
        self._environment = {**os.environ, **environment}
        # A user's Python compiles our modules once, and not at each start.
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._clock = clock
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample_often, name="usage-sampler", daemon=True)
        self.samples: list[Sample] = []
        self.started_at = 0.0

    def __enter__(self) -> Consumers:
        """Start them."""
        self._children_before = _cpu_of_children()
        self._output = tempfile.TemporaryFile("w+")
        self.started_at = self._clock()
        self._processes = [
            subprocess.Popen(  # noqa: S603 - the user's own command
                command,
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )
            for command in self._commands
        ]
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what is left of them, with all that they started."""
        for process in self._processes:
            for member in reversed(family_of(process.pid)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            stop_child(process, 0)
        self._ended.set()
        self._sampler.join()
        self._output.close()

    @property
    def cpu_seconds(self) -> float:
        """The user and system time of all to their end; of one whose parent did not wait for it, when last seen."""
        last_seen = self.samples[-1].cpu_seconds if self.samples else 0.0
        return max(_cpu_of_children() - self._children_before, last_seen)

    @property
    def have_ended(self) -> bool:
        """Whether all of them have ended.

        Raises:
            ConsumerFailedError: One of them failed.
        """
        codes = [process.poll() for process in self._processes]
        if any(codes):
            raise ConsumerFailedError(self._words(f"it ended with exit code {max(code or 0 for code in codes)}"))
        return None not in codes

    def stop(self) -> None:
        """Ask them to stop, and wait until they have."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)

    def gave_up(self, why: str) -> ConsumerFailedError:
        """Return the error of one that does not get done.

        Args:
            why: What was waited for.
        """
        return ConsumerFailedError(self._words(why))

    def _words(self, why: str) -> str:
        self._output.seek(0)
        last = [line.strip() for line in self._output.read().splitlines() if line.strip()][-3:]
        return f"the program that is measured: {why}; it said last: {' | '.join(last) or 'nothing'}"

    def _sample_often(self) -> None:
        next_search = 0.0
        families: list[list[psutil.Process]] = []
        cpu_seconds = [0.0] * len(self._processes)
        proportional_bytes = 0
        while not self._ended.wait(SAMPLE_SECONDS):
            if time.monotonic() >= next_search:
                families = [family_of(process.pid) for process in self._processes]
                proportional_bytes = sum(map(proportional_bytes_of, families))  # a millisecond a process
                next_search = time.monotonic() + FAMILY_SECONDS
            now = self._clock()
            samples = [sample_of(family, now) for family in families]
            # What one has used it still has when it is gone.
            cpu_seconds = [max(used, sample.cpu_seconds) for used, sample in zip(cpu_seconds, samples, strict=True)]
            resident_bytes = sum(sample.resident_bytes for sample in samples)
            self.samples.append(Sample(now, sum(cpu_seconds), resident_bytes, proportional_bytes))


def family_of(pid: int) -> list[psutil.Process]:
    """Return a process with all its descendants, or none where it has ended.

    Args:
        pid: Its process id.
    """
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def sample_of(family: Sequence[psutil.Process], at: float) -> Sample:
    """Return what processes used so far; what has ended counts as nothing.

    Args:
        family: The processes.
        at: The moment.
    """
    cpu_seconds = 0.0
    resident_bytes = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
            times = process.cpu_times()
            cpu_seconds += times.user + times.system + times.children_user + times.children_system
            resident_bytes += process.memory_info().rss
    return Sample(at, cpu_seconds, resident_bytes)


def proportional_bytes_of(family: Sequence[psutil.Process]) -> int:
    """Return the memory of processes, each shared page divided among those who share it; of ended ones none.

    Args:
        family: The processes.
    """
    proportional_bytes = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            proportional_bytes += process.memory_full_info().pss
    return proportional_bytes


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
