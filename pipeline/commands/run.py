"""Run the job: receive from SQS, mask, write to Postgres, delete.

Before a message is taken, queue, database and keyset are checked. The job streams on until Ctrl-C or SIGTERM, which
end it in an orderly way, or with --until_empty until the queue is empty.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from maskline.pipeline.beam_options import (
    check_beam_options,
    check_processes,
    format_beam_help,
    parse_beam_options,
    resolve_runner,
)
from maskline.pipeline.flink.options import set_flink_defaults
from maskline.pipeline.options import Options, job_settings
from maskline.pipeline.preflight import preflight, raise_on_problems
from maskline.pipeline.runners.cluster import submit_job
from maskline.pipeline.runners.in_process import console_monitor, new_run, run_job
from maskline.pipeline.runners.processes import run_processes
from maskline.pipeline.stopping import interruptible
from maskline.pipeline.summary import summary_table

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
    parser.epilog = format_beam_help()


def main(arguments: argparse.Namespace, beam_arguments: Sequence[str]) -> int:
    """Run the job; 0 when it ended in an orderly way."""
    options = parse_beam_options(beam_arguments, "run", vars(arguments))
    job = job_settings(arguments)
    check_beam_options(options, job, arguments.allow_cleartext_keyset)
    runner = resolve_runner(options)
    check_processes(arguments.processes, runner)
    if runner.name == "FlinkRunner":
        options = set_flink_defaults(options, job)
    terminal = Console(stderr=True)
    findings = interruptible(lambda: preflight(job))
    raise_on_problems(findings)
    for finding in findings:
        if finding.is_warning:
            terminal.print(f"warning: {finding.part}: {finding.text}", highlight=False, soft_wrap=True)
    terminal.print(f"Running on {runner.description}. Ctrl-C stops.", highlight=False, soft_wrap=True)
    if not runner.is_in_process:
        return submit_job(job, options, terminal)
    if arguments.processes > 1:
        ran = run_processes(job, beam_arguments, arguments.processes, terminal, arguments.log_level)
    else:
        ran = run_job(job, options, runner, console_monitor(terminal), new_run())
    Console().print(summary_table(ran.counts, ran.seconds))
    return 0
