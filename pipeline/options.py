"""Every option of every command, and its check.

An option ``--micro_batch_size`` can be given by the environment variable ``MASKLINE_MICRO_BATCH_SIZE``, too; the
command line goes first.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from maskline.errors import ArgumentError, UsageError
from maskline.keys import KeysetUri
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import load_stream

if TYPE_CHECKING:
    from maskline.pipeline.job import JobSettings

UNTIL_EMPTY_LONG_POLL_SECONDS = 1
"""Shorter than while streaming, for the end of the queue is known only after two such polls brought nothing."""


class Options:
    """Adds options to a command's parser, each with its environment variable.

    Args:
        parser: The parser, or a group of it.
        environment: Where the variables are looked up.
    """

    def __init__(self, parser: argparse._ActionsContainer, environment: Mapping[str, str] = os.environ) -> None:
        self._parser = parser
        self._environment = environment

    def add(self, name: str, help: str, **settings: Any) -> None:  # noqa: A002 - argparse's own word
        """Add ``--name``; `settings` go to argparse."""
        variable = f"MASKLINE_{name.upper()}"
        if variable in self._environment:
            settings["default"] = self._environment[variable]
            if settings.get("action") == "store_true":
                settings["default"] = _truth(variable, settings["default"])
        self._parser.add_argument(f"--{name}", help=f"{help} [{variable}]", **settings)

    def add_queue(self) -> None:
        """Add the options that say where the queue is."""
        self.add("queue", "the SQS queue: its URL, or its name in the account of the credentials", metavar="URL|NAME")
        self.add("queue_endpoint", "the SQS API, for anything but AWS, http://127.0.0.1:9324 say", metavar="URL")

    def add_postgres(self) -> None:
        """Add the option that says where the database is."""
        self.add(
            "postgres",
            "the database, postgresql://user@host/name say; a password comes from PGPASSWORD, PGPASSFILE or a service "
            "file, never from here",
            metavar="DSN",
        )

    def add_keyset(self) -> None:
        """Add the option that says where the keyset is."""
        self.add(
            "keyset",
            "the keyset: file:PATH, env:NAME, aws-secretsmanager://NAME or aws-kms://KEY_ARN?keyset=URI",
            metavar="URI",
        )

    def add_stream(self) -> None:
        """Add the option that names the stream."""
        self.add("stream", "a stream by name, or the path of its .toml (%(default)s)", default="user_logins")

    def add_job(self) -> None:
        """Add the options of a running job."""
        receive = ReceiveSettings()
        self.add_queue()
        self.add_postgres()
        self.add_keyset()
        self.add_stream()
        self.add(
            "micro_batch_size",
            "most messages of a micro-batch (%(default)s)",
            type=int,
            default=receive.micro_batch_size,
            metavar="N",
        )
        self.add(
            "micro_batch_seconds",
            "how long messages gather in a micro-batch, from the first on (%(default)s)",
            type=float,
            metavar="SECONDS",
            default=receive.micro_batch_seconds,
        )
        self.add("pollers", "how many pollers receive at the same time (%(default)s)", type=int, default=1, metavar="N")
        self.add(
            "visibility_timeout_seconds",
            "how long a received message is hidden from other consumers; extended while the database is away "
            "(%(default)s)",
            type=int,
            metavar="SECONDS",
            default=receive.visibility_timeout_seconds,
        )
        self.add(
            "db_retry_seconds",
            "how long a micro-batch is retried while the database is away, before the job fails (%(default)s)",
            type=float,
            metavar="SECONDS",
            default=300,
        )
        self.add("until_empty", "end once the queue is empty, in place of streaming on", action="store_true")


def _truth(variable: str, value: str) -> bool:
    if value.lower() not in ("true", "1", "false", "0"):
        raise UsageError(f"{variable} is {value!r}; it must be true or false")
    return value.lower() in ("true", "1")


def required(arguments: argparse.Namespace, name: str) -> str:
    """Return the value of an option that must be given.

    Raises:
        UsageError: It is not.
    """
    value = getattr(arguments, name)
    if not value:
        raise UsageError(f"{name}: missing; give --{name} or set MASKLINE_{name.upper()}")
    return str(value)


def queue_address(arguments: argparse.Namespace) -> QueueAddress:
    """Return where the queue is.

    Raises:
        UsageError: It is not given, or not well formed.
    """
    with naming_options(endpoint="queue_endpoint"):
        return QueueAddress(required(arguments, "queue"), arguments.queue_endpoint or None)


def postgres_dsn(arguments: argparse.Namespace) -> PostgresDsn:
    """Return where the database is.

    Raises:
        UsageError: It is not given, not well formed, or holds a password.
    """
    with naming_options(dsn="postgres"):
        return PostgresDsn.parse(required(arguments, "postgres"))


def keyset_uri(arguments: argparse.Namespace) -> KeysetUri:
    """Return where the keyset is.

    Raises:
        UsageError: It is not given, or names no provider.
    """
    return KeysetUri.parse(required(arguments, "keyset"))


@contextlib.contextmanager
def naming_options(**options: str) -> Iterator[None]:
    """Have an error that begins with a parameter's name begin with the option's.

    Args:
        options: The option of each parameter that the command line calls otherwise.

    Raises:
        UsageError: In the place of such an `ArgumentError`.
    """
    try:
        yield
    except ArgumentError as error:
        for parameter, option in options.items():
            if re.match(rf"{parameter}\b", str(error)):
                raise UsageError(f"{option}{str(error).removeprefix(parameter)}") from None
        raise


def job_settings(arguments: argparse.Namespace) -> JobSettings:
    """Return the job that the options of `Options.add_job` describe, all of them checked.

    Raises:
        UsageError: Some are missing, or one is out of its range.
    """
    from maskline.pipeline.job import JobSettings  # Beam takes a second, and most commands do without it

    missing = [name for name in ("queue", "postgres", "keyset") if not getattr(arguments, name)]
    if len(missing) > 1:
        options = " and ".join(f"--{name} (or MASKLINE_{name.upper()})" for name in missing)
        raise UsageError(f"{', '.join(missing)}: missing; give {options}")
    return JobSettings(
        stream=load_stream(arguments.stream),
        queue=queue_address(arguments),
        postgres=postgres_dsn(arguments),
        keyset=keyset_uri(arguments),
        receive=ReceiveSettings(
            micro_batch_size=arguments.micro_batch_size,
            micro_batch_seconds=arguments.micro_batch_seconds,
            visibility_timeout_seconds=arguments.visibility_timeout_seconds,
            long_poll_seconds=(
                UNTIL_EMPTY_LONG_POLL_SECONDS if arguments.until_empty else ReceiveSettings().long_poll_seconds
            ),
        ),
        pollers=arguments.pollers,
        until_empty=arguments.until_empty,
        db_retry_seconds=arguments.db_retry_seconds,
    )
