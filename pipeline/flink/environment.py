"""Beam's environments, in which the Python of a job on Flink runs: what each needs, and what cannot work."""

from __future__ import annotations

import json

from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions, PortableOptions, SetupOptions

from maskline.errors import UsageError

BUILD_ISOLATION = "pip_use_build_isolation"
NO_BUILD_ISOLATION = "pip_no_build_isolation"
"""How one declines, in Beam 2.72 to Beam itself, and here."""


def environment_defaults(options: PipelineOptions) -> list[str]:
    """Return the flags without which workers cannot install what ``--setup_file`` staged.

    Beam's start program has pip build the job's package with what is installed. Beam's containers have setuptools and
    wheel for it; an environment of Beam alone has not, so there pip brings its own.

    Args:
        options: The user's.
    """
    is_container = options.view_as(PortableOptions).environment_type not in ("EXTERNAL", "PROCESS")
    experiments = options.view_as(DebugOptions).experiments or []
    has_decided = BUILD_ISOLATION in experiments or NO_BUILD_ISOLATION in experiments
    if is_container or has_decided or not options.view_as(SetupOptions).setup_file:
        return []
    return [f"--experiments={BUILD_ISOLATION}"]


def check_environment(options: PipelineOptions, is_elsewhere: bool) -> None:
    """Check that an environment can work.

    Args:
        options: Beam's options.
        is_elsewhere: Whether Flink is known to be on another machine.

    Raises:
        UsageError: The configuration that its type needs is missing or wrong, or the workers would be out of reach.
    """
    portable = options.view_as(PortableOptions)
    if portable.environment_type == "EXTERNAL":
        _check_external(portable)
    elif portable.environment_type == "PROCESS":
        _check_process(portable)
    elif portable.environment_type == "LOOPBACK":
        _check_loopback(portable, is_elsewhere)


def _check_external(portable: PortableOptions) -> None:
    if not portable.environment_config and not portable.lookup_environment_option("external_service_address"):
        raise UsageError(
            "environment_config: is missing; for the environment type EXTERNAL it is the host and port of the pool of "
            "SDK workers, as each TaskManager reaches it (localhost:50000)"
        )


def _check_process(portable: PortableOptions) -> None:
    if not portable.environment_config and portable.lookup_environment_option("process_command"):
        return
    try:
        config = json.loads(portable.environment_config or "{}")
        command = config.get("command")
    except (ValueError, AttributeError):
        command = None
    if not command:
        raise UsageError(
            "environment_config: for the environment type PROCESS it is a JSON object that holds at least the command "
            'by which a TaskManager starts a worker: {"command": "/opt/beam/boot"}'
        )


def _check_loopback(portable: PortableOptions, is_elsewhere: bool) -> None:
    if portable.output_executable_path:
        raise UsageError(
            "environment_type LOOPBACK: the workers are in this process, which ends when the jar is written; use "
            "EXTERNAL or PROCESS"
        )
    if is_elsewhere:
        raise UsageError(
            "environment_type LOOPBACK: the workers are in this process, at a port of localhost, and Flink is on "
            "another machine; use EXTERNAL or PROCESS"
        )
