"""Run the job: receive from SQS, mask, write to Postgres, delete.

Before a message is taken, queue, database and keyset are checked. The job streams on until Ctrl-C or SIGTERM, which
end it in an orderly way, or with --until_empty until the queue is empty.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import threading
from collections.abc import Sequence

from maskline.pipeline.beam_help import add_beam_help
from maskline.pipeline.deferred_packages import deferred_packages
from maskline.pipeline.garbage_collection import gc_paused
from maskline.pipeline.hidden_packages import UNUSED_BY_A_JOB, UNUSED_IN_PROCESS, hidden_packages
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.logs import name_run_in_logs
from maskline.pipeline.options import Options, job_settings
from maskline.pipeline.preflight import preflight_with_retries
from maskline.pipeline.stopping import BackgroundWork

TAKES_BEAM_OPTIONS = True


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser.add_argument_group("the job"))
    options.add_job()
    options.add(
        "allow_cleartext_keyset",
        "let the workers of a cluster (Flink, Dataflow) be given a keyset that no KMS key encrypts",
        action="store_true",
    )
    options.add(
        "processes",
        "how many processes of this machine share the work, a core each (%(default)s)",
        type=int,
        default=1,
        metavar="N",
    )
    options.add_http()
    options.add_publishing()
    add_beam_help(parser)


def main(arguments: argparse.Namespace, beam_arguments: Sequence[str]) -> int:
    """Run the job; 0 when it ended in an orderly way."""

    @functools.cache
    def job() -> JobSettings:
        settings = job_settings(arguments)
        name_run_in_logs(settings.stream.name, settings.queue.name)
        return settings

    abandoned = threading.Event()
    check = BackgroundWork(lambda: preflight_with_retries(job(), abandoned), "preflight")
    # It waits for answers while Beam is imported. Where Beam has no options, it cannot refuse any; and a job of several
    # processes forks them before it has a thread or a connection.
    if not beam_arguments and arguments.processes == 1:
        job()
        check.begin()
    is_runner_chosen = any(argument.startswith("--runner") for argument in beam_arguments)
    with contextlib.ExitStack() as importing:
        importing.enter_context(gc_paused())
        importing.enter_context(hidden_packages(UNUSED_BY_A_JOB if is_runner_chosen else UNUSED_IN_PROCESS))
        if not is_runner_chosen:
            importing.enter_context(deferred_packages())
        from maskline.pipeline.running import run  # takes Beam, which --help does without
    try:
        return run(arguments, beam_arguments, job, check)
    finally:
        abandoned.set()
