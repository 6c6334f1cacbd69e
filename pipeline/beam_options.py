"""Beam's own options: their help, their parsing, and the rejection of what cannot work before anything is submitted."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from apache_beam.options.pipeline_options import (
    DebugOptions,
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PrismRunnerOptions,
    SetupOptions,
    StandardOptions,
)

from maskline.errors import UsageError
from maskline.pipeline.command_parser import unknown_option
from maskline.pipeline.dataflow.options import check_dataflow_options
from maskline.pipeline.flink.options import check_flink_options
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.program import program_name
from maskline.pipeline.suggestions import unknown_name, with_help

RUNNERS_WITH_OPTIONS_OF_THEIR_OWN = ("FlinkRunner", "PortableRunner", "SparkRunner", "DataflowRunner")
_SAMPLING = ("enable_data_sampling", "enable_always_on_exception_sampling", "enable_heap_dump")
"""The experiments by which an engine shows elements, which are messages in clear before they are masked."""

_NO_EXCEPTION_SAMPLING = "disable_always_on_exception_sampling"
"""Dataflow samples the element of every exception unless this is said.

Source: https://cloud.google.com/dataflow/docs/guides/data-sampling
"""

_CREDENTIALS = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token", "azure_connection_string")
"""Options of Beam's file systems, which the job does not use; and engines show a job's options."""

IN_PROCESS_RUNNERS = ("FnApiRunner", "PrismRunner")


class Runner(msgspec.Struct, frozen=True):
    """The runner of a job.

    Attributes:
        name: Its name for Beam.
        description: What to tell the user.
        is_in_process: Whether the transforms run in this process, so that its counts are the job's.
    """

    name: str
    description: str
    is_in_process: bool


def parse_beam_options(
    arguments: Sequence[str], command: str = "run", own_options: Iterable[str] = ()
) -> PipelineOptions:
    """Parse Beam's options.

    Args:
        arguments: What is left of the command line once our options are taken out of it.
        command: The command whose help says more.
        own_options: The command's own options, one of which may be what was meant.

    Raises:
        UsageError: One would have the engine show messages or a credential, or is not known. (Beam itself would drop it
            with a warning. A portable runner's job server may know more options than Beam's Python, so with those
            runners unknown ones are passed on.)
    """
    parser = _beam_parser()
    known, unknown = parser.parse_known_args(list(arguments))
    if unknown and known.runner not in RUNNERS_WITH_OPTIONS_OF_THEIR_OWN:
        options_there_are = [*(f"--{name}" for name in own_options), *parser._option_string_actions]
        raise UsageError(with_help(unknown_option(unknown[0], options_there_are), f"{program_name()} {command}"))
    if known.runner and "." not in known.runner and known.runner not in StandardOptions.KNOWN_RUNNER_NAMES:
        raise UsageError(unknown_name("runner", known.runner, StandardOptions.KNOWN_RUNNER_NAMES))
    options = PipelineOptions(list(arguments))
    options.view_as(StandardOptions).streaming = True
    _keep_elements_unseen(options)
    _keep_credentials_unseen(options)
    return options


def _keep_elements_unseen(options: PipelineOptions) -> None:
    experiments = options.view_as(DebugOptions)
    services = options.view_as(GoogleCloudOptions)
    asked_for = [*(experiments.experiments or []), *(services.dataflow_service_options or [])]
    for text in asked_for:
        if any(part.strip().partition("=")[0] in _SAMPLING for part in text.split(",")):
            raise UsageError(
                f"experiments: {text} would have the engine show elements, which are messages in clear; leave it out"
            )
    if services.enable_hot_key_logging:
        raise UsageError("enable_hot_key_logging: would log elements, which may be messages in clear; leave it out")
    experiments.add_experiment(_NO_EXCEPTION_SAMPLING)


def _keep_credentials_unseen(options: PipelineOptions) -> None:
    given = options.get_all_options(drop_default=True)
    for name in _CREDENTIALS:
        if name in given:
            raise UsageError(
                f"{name}: an engine shows the options of a job; leave it out: the job takes AWS' credentials from "
                "where boto3 finds them, and no others"
            )


def resolve_runner(options: PipelineOptions) -> Runner:
    """Return the runner that Beam's options choose.

    ``DirectRunner`` is not one engine: left to itself, Beam looks for a Prism binary, tries to download it from GitHub,
    and falls back to others when it cannot. Here it is Prism where ``--prism_location`` names the binary, and
    FnApiRunner, which comes with Beam, otherwise; nothing is downloaded.

    Args:
        options: Beam's options.

    Raises:
        UsageError: Prism's binary is not where it should be.
    """
    runner = options.view_as(StandardOptions).runner or "DirectRunner"
    if runner == "DirectRunner":
        binary = options.view_as(PrismRunnerOptions).prism_location
        if binary:
            if "://" not in binary and not os.access(binary, os.X_OK):
                raise UsageError(f"prism_location {binary}: there is no program that can be run")
            return Runner("PrismRunner", f"DirectRunner on Prism ({binary})", True)
        return Runner("FnApiRunner", "DirectRunner on FnApiRunner, in this process", True)
    return Runner(runner, runner, runner in IN_PROCESS_RUNNERS)


def check_beam_options(options: PipelineOptions, job: JobSettings, allow_cleartext_keyset: bool) -> None:
    """Check that a job can run with Beam's options.

    Args:
        options: Beam's options.
        job: The job.
        allow_cleartext_keyset: Whether the user allows a cluster's workers to be given a keyset in clear.

    Raises:
        UsageError: The combination cannot work, or is not safe.
    """
    runner = resolve_runner(options)
    if runner.name == "FnApiRunner" and job.pollers > 1:
        raise UsageError(
            f"pollers is {job.pollers}: FnApiRunner lets them poll one after another, and each waits for the "
            f"others' long polls; use 1 and --processes {job.pollers}, or run on Prism (--prism_location)"
        )
    if runner.is_in_process:
        _check_direct_options(options)
        return
    if runner.name == "FlinkRunner":
        check_flink_options(options, job)
    elif runner.name == "DataflowRunner":
        check_dataflow_options(options, job)
    keysets = [job.keyset, *([job.hash_keyset] if job.hash_keyset else [])]
    in_cleartext = [keyset for keyset in keysets if keyset.kms_key is None]
    if in_cleartext and not allow_cleartext_keyset:
        raise UsageError(
            f"keyset {in_cleartext[0]}: is in cleartext, and every worker of {runner.name} would have to be given it "
            "so; use one that a KMS key encrypts (aws-kms://KEY_ARN?keyset=URI), or say --allow_cleartext_keyset"
        )


def check_processes(processes: int, runner: Runner) -> None:
    """Check that a runner can share a job among a number of processes.

    Args:
        processes: How many were asked for.
        runner: What will run the job.

    Raises:
        UsageError: It is not positive, or the engine brings its own workers.
    """
    if processes < 1:
        raise UsageError(f"processes is {processes}; it must be 1 or more")
    if processes > 1 and not runner.is_in_process:
        raise UsageError(
            f"processes is {processes}: {runner.name} has workers of its own; use its parallelism and --pollers"
        )


def _check_direct_options(options: PipelineOptions) -> None:
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != "in_memory" or direct.direct_num_workers != 1:
        raise UsageError(
            "direct_running_mode, direct_num_workers: FnApiRunner writes no row of an endless source in its other "
            "modes; for more throughput use --processes"
        )
    if options.view_as(SetupOptions).save_main_session:
        raise UsageError("save_main_session: the job's code is in its packages; leave it out")


def format_beam_help() -> str:
    """Return the help of Beam's own options, grouped as Beam groups them."""
    return _beam_parser().format_help()


class _BeamParser(argparse.ArgumentParser):
    def __init__(self) -> None:
        super().__init__(prog="", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
        self._group: Any = self
        for options in PipelineOptions.__subclasses__():
            if options.__module__.startswith("apache_beam."):
                self._group = self.add_argument_group(f"Beam's {options.__name__}")
                options._add_argparse_args(_Group(self._group))


class _Group:
    """A group that takes value provider arguments, as Beam's own parser does."""

    def __init__(self, group: argparse._ArgumentGroup) -> None:
        self.add_argument = group.add_argument
        self.add_value_provider_argument = group.add_argument
        self.add_mutually_exclusive_group = group.add_mutually_exclusive_group


def _beam_parser() -> argparse.ArgumentParser:
    return _BeamParser()
