"""Every option of every command, and its check.

An option ``--micro_batch_size`` can be given by the environment variable ``MASKLINE_MICRO_BATCH_SIZE``, too; the
command line goes first.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskline.errors import ArgumentError, UsageError
from maskline.keys import HashKeyset, KeysetUri
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.logs import LEVELS
from maskline.pipeline.printing import notice_former_name
from maskline.postgres.dsn import PostgresAuth, PostgresDsn
from maskline.sqs import QueueAddress
from maskline.sqs.address import CONNECTIONS
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.streams.rejection_share import check_max_percent
from maskline.streams.stream_files import load_streams
from maskline.streams.stream_set import StreamSet, Unmatched

VARIABLE_PREFIX = "MASKLINE_"
_TRUTH = {"true": True, "1": True, "false": False, "0": False}

DATA_DIRECTORY = Path(".maskline")
DEFAULT_STREAM = "user_logins"
"""The stream of every command that is given none; its definition comes with maskline."""

UNTIL_EMPTY_LONG_POLL_SECONDS = 1
"""Shorter than while streaming, for the end of the queue is known only after two such polls brought nothing."""


class Options:
    """Adds options to a command's parser, each with its environment variable.

    Args:
        parser: The parser, or a group of it.
        environment: Where the variables are looked up; an empty one is as good as none.
    """

    def __init__(self, parser: argparse._ActionsContainer, environment: Mapping[str, str] = os.environ) -> None:
        self._parser = parser
        self._environment = environment

    def add(
        self,
        name: str,
        help: str,  # noqa: A002 - argparse's own word
        *,
        former: str | None = None,
        former_variable: str | None = None,
        **settings: Any,
    ) -> None:
        """Add ``--name``.

        Args:
            name: The option.
            help: What it means; the variable's name is added.
            former: What the option was called before; still taken, with a notice.
            former_variable: What its variable was called before; likewise.
            settings: Go to `argparse.ArgumentParser.add_argument`.
        """
        current = variable_of(name)
        variable = next((each for each in (current, former_variable) if each and self._environment.get(each)), None)
        declared = dict(settings)
        if variable:
            declared["default"] = _VariableText(self._environment[variable])
            declared.pop("required", None)
        action = self._parser.add_argument(f"--{name}", help=f"{help} [{current}]", **declared)
        if variable:
            action.type = _converter(variable, current, settings)
        if former:
            self._parser.add_argument(
                f"--{former}",
                action=_FormerName,
                renamed=action,
                choices=settings.get("choices"),
                type=settings.get("type", str),
            )

    def add_log_level(self, default: str = "warning") -> None:
        """Add the option that says what is logged.

        Args:
            default: The level where none is given.
        """
        levels = f"{', '.join(LEVELS[:-1])} or {LEVELS[-1]}"
        self.add("log_level", f"what to log: {levels} (warning)", choices=LEVELS, default=default, metavar="LEVEL")

    def add_queue(self, what: str = "the SQS queue: its URL, or its name in the account of the credentials") -> None:
        """Add the options that say where the queue is.

        Args:
            what: What the queue is for.
        """
        self.add("queue", what, metavar="URL|NAME")
        self.add("queue_endpoint", "the SQS API, for anything but AWS, http://127.0.0.1:9324 say", metavar="URL")
        self.add(
            "allow_plaintext_endpoint",
            "allow an SQS API at http:// that is not on this machine, so that the network can read messages; as a "
            "variable, also those of KMS, S3 and Secrets Manager",
            action="store_true",
        )

    def add_postgres(self) -> None:
        """Add the options that say where the database is, and how to log in."""
        self.add(
            "postgres",
            "the database, postgresql://user@host/name say; a password comes from PGPASSWORD, PGPASSFILE or a service "
            "file, never from here",
            metavar="DSN",
        )
        self.add(
            "postgres_auth",
            "how a connection proves who it is: password, or whatever else libpq finds; rds-iam, a token of AWS for "
            "each connection, which demands TLS (%(default)s)",
            choices=list(PostgresAuth),
            default=PostgresAuth.PASSWORD,
            metavar="WAY",
        )
        self.add("require_tls", "refuse a database without TLS before anything is sent to it", action="store_true")

    def add_keyset(self) -> None:
        """Add the option that says where the keyset is."""
        self.add(
            "keyset",
            "the keyset: file:PATH, env:NAME, aws-secretsmanager://NAME, azure-keyvault-secret://HOST/SECRET, "
            "gcp-secretmanager://SECRET, vault-kv://MOUNT/PATH, or encrypted by a key: aws-kms://KEY_ARN?keyset=URI, "
            "azure-keyvault-key://HOST/KEY?keyset=URI, gcp-kms://KEY?keyset=URI, vault-transit://MOUNT/KEY?keyset=URI",
            metavar="URI",
        )

    def add_hash_keyset(self) -> None:
        """Add the option that says where the keyset of hashes is."""
        self.add(
            "hash_keyset",
            "the keyset of hashes, made by keys create --kind hash, for columns that are hashed; as for --keyset",
            metavar="URI",
        )

    def add_stream(self) -> None:
        """Add the option that names the stream."""
        self.add("stream", "a stream by name, or the path of its .toml (%(default)s)", default=DEFAULT_STREAM)

    def add_streams(self, what: str) -> None:
        """Add the option that names any number of streams.

        Args:
            what: What the command does with each.
        """
        self.add_repeated("stream", f"{what}: a stream by name, or its .toml", metavar="NAME|FILE")

    def add_repeated(self, name: str, help: str, metavar: str) -> None:  # noqa: A002 - argparse's own word
        """Add an option that may be given any number of times; its variable holds the values with commas between.

        Args:
            name: The option.
            help: What it means; that it is repeatable, and the variable's name, are added.
            metavar: What stands for a value in the help.
        """
        variable = variable_of(name)
        given = [value.strip() for value in self._environment.get(variable, "").split(",")]
        self._parser.add_argument(
            f"--{name}",
            action=_Repeated,
            default=[value for value in given if value],
            metavar=metavar,
            help=f"{help}; repeatable, in the variable by commas [{variable}]",
        )

    def add_data_directory(self) -> None:
        """Add the options that say where an embedded queue and database keep their data, and since when."""
        self.add("data_directory", "where data live (%(default)s)", type=Path, default=DATA_DIRECTORY, metavar="PATH")
        self.add("fresh", "forget the data of earlier runs first", action="store_true")

    def add_job(self) -> None:
        """Add the options of a running job."""
        receive = ReceiveSettings()
        self.add_queue()
        self.add_postgres()
        self.add_keyset()
        self.add_hash_keyset()
        self.add_streams("what the messages are (user_logins), or a folder of them; they take messages by [match]")
        self.add(
            "unmatched",
            "what becomes of a message that no stream takes: reject it as no_stream, or leave it in the queue for "
            "another consumer (%(default)s)",
            choices=list(Unmatched),
            default=Unmatched.REJECT,
        )
        self.add(
            "stop_when_rejected",
            "end with exit code 1 where so many percent of the last thousand messages or two, 20 at least, are "
            "rejected, before a definition that does not fit drains the queue",
            type=float,
            metavar="PERCENT",
        )
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
        self.add(
            "sqs_connections",
            "the most receives under way at the same time; how many there are follows what they bring (%(default)s)",
            type=int,
            default=CONNECTIONS,
            metavar="N",
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
            "how long a micro-batch is retried while the database is away, before the job fails, and at its start the "
            "check of queue, database and keyset (%(default)s)",
            type=float,
            metavar="SECONDS",
            default=300,
        )
        self.add(
            "long_poll_seconds",
            "how long a poll of an idle queue lasts, 0 to 20; SQS bills each, and a stop waits for the last "
            f"({receive.long_poll_seconds}; on a cluster 20; {UNTIL_EMPTY_LONG_POLL_SECONDS} with --until_empty)",
            type=int,
            metavar="SECONDS",
        )
        self.add("until_empty", "end once the queue is empty, in place of streaming on", action="store_true")

    def add_http(self) -> None:
        """Add the options of what a running job serves over HTTP."""
        self.add(
            "http_port",
            "serve a page at /, Prometheus metrics at /metrics, and probes at /live and /ready; 0 takes a free port",
            type=int,
            metavar="PORT",
        )
        self.add(
            "http_host",
            "the address to serve them at (%(default)s); 0.0.0.0 for all, without a login",
            default="127.0.0.1",
            metavar="ADDRESS",
        )
        self.add(
            "stall_seconds",
            "after how long without progress /live says 503 (%(default)s)",
            type=float,
            default=300,
            metavar="SECONDS",
        )

    def add_publishing(self) -> None:
        """Add the options of where a running job sends its metrics."""
        self.add(
            "otlp_endpoint",
            "send metrics by OpenTelemetry's protocol: http://COLLECTOR:4318/v1/metrics; headers and the like by "
            "OTEL_EXPORTER_OTLP_HEADERS and its other variables",
            metavar="URL",
        )
        self.add(
            "emf_namespace",
            "print metrics in CloudWatch's embedded metric format, for this namespace of it",
            metavar="NAME",
        )
        self.add(
            "publish_seconds",
            "how long from one sending of metrics to the next (%(default)s)",
            type=float,
            default=60,
            metavar="SECONDS",
        )


class _VariableText(str):
    """What a variable of the environment holds."""

    __slots__ = ()


class _Repeated(argparse.Action):
    """An option that may be given several times; on the command line, it takes the place of its variable."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _option: str | None = None
    ) -> None:
        given = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*([] if given is self.default else given), values])


class _FormerName(argparse.Action):
    """An option under the name that it had before: not in the help, and with a notice when it is given."""

    def __init__(self, *, renamed: argparse.Action, **settings: Any) -> None:
        super().__init__(**settings | {"dest": renamed.dest, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS})
        self._renamed = renamed

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        notice_former_name(str(option_string), self._renamed.option_strings[0])
        setattr(namespace, self.dest, values)
        self._renamed.required = False


def variable_of(name: str) -> str:
    """Return the environment variable of an option.

    Args:
        name: The option without its dashes.
    """
    return f"{VARIABLE_PREFIX}{name.upper()}"


def _converter(variable: str, current: str, settings: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return what turns a variable's text, or the command line's, into the option's value.

    argparse converts a default that is a text where the command line has nothing better, but does not see that it is
    among the choices, and a complaint of its own would name the option that nobody gave.

    Args:
        variable: The variable that was found.
        current: What it is called now.
        settings: Those of the option.
    """
    convert = settings.get("type", str)
    choices = _TRUTH if settings.get("action") == "store_true" else settings.get("choices")

    def value_from(text: str) -> Any:
        if not isinstance(text, _VariableText):
            return convert(text)
        if variable != current:
            notice_former_name(variable, current)
        if choices is _TRUTH:
            if text.lower() not in _TRUTH:
                raise argparse.ArgumentTypeError(f"{variable} is {text!r}; it must be true or false")
            return _TRUTH[text.lower()]
        try:
            value = convert(str(text))
        except (ValueError, argparse.ArgumentTypeError):
            raise argparse.ArgumentTypeError(f"{variable} is {text!r}; it must be {_kind(convert)}") from None
        if choices is not None and value not in choices:
            raise argparse.ArgumentTypeError(f"{variable} is {text!r}; it must be one of {', '.join(choices)}")
        return value

    value_from.__name__ = getattr(convert, "__name__", "value")  # what argparse says about a value that will not do
    return value_from


def _kind(convert: Callable[[str], Any]) -> str:
    if convert is int:
        return "a whole number"
    return "a number" if convert is float else "a path"


def required(arguments: argparse.Namespace, name: str) -> str:
    """Return the value of an option that must be given.

    Raises:
        UsageError: The option is not given.
    """
    value = getattr(arguments, name)
    if not value:
        raise UsageError(f"{name}: missing; give --{name} or set {variable_of(name)}")
    return str(value)


def queue_address(arguments: argparse.Namespace) -> QueueAddress:
    """Return where the queue is.

    Raises:
        UsageError: It is not given, or not well formed.
    """
    connections = getattr(arguments, "sqs_connections", CONNECTIONS)
    with naming_options(endpoint="queue_endpoint", connections="sqs_connections"):
        return QueueAddress(
            required(arguments, "queue"),
            arguments.queue_endpoint or None,
            connections,
            allow_plaintext_endpoint=arguments.allow_plaintext_endpoint,
        )


def postgres_dsn(arguments: argparse.Namespace) -> PostgresDsn:
    """Return where the database is.

    Raises:
        UsageError: It is not given, not well formed, holds a password, or does not go with the other options.
    """
    with naming_options(dsn="postgres"):
        return PostgresDsn.parse(
            required(arguments, "postgres"),
            PostgresAuth(arguments.postgres_auth),
            require_tls=arguments.require_tls,
        )


def keyset_uri(arguments: argparse.Namespace) -> KeysetUri:
    """Return where the keyset is.

    Raises:
        UsageError: It is not given, or names no provider.
    """
    return KeysetUri.parse(required(arguments, "keyset"))


def hash_keyset_uri(arguments: argparse.Namespace) -> KeysetUri | None:
    """Return where the keyset of hashes is, or None where it is not given.

    Raises:
        UsageError: It names no provider.
    """
    with naming_options(keyset="hash_keyset"):
        return KeysetUri.parse(arguments.hash_keyset) if arguments.hash_keyset else None


def open_hash_keyset(arguments: argparse.Namespace) -> HashKeyset | None:
    """Read and open the keyset of hashes, or return None where it is not given.

    Raises:
        UsageError: The option names no provider.
        KeysetError: It cannot be read, or is no keyset of hashes.
    """
    uri = hash_keyset_uri(arguments)
    return None if uri is None else uri.open_hash()


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
    missing = [name for name in ("queue", "postgres", "keyset") if not getattr(arguments, name)]
    if len(missing) > 1:
        options = " and ".join(f"--{name} (or {variable_of(name)})" for name in missing)
        raise UsageError(f"{', '.join(missing)}: missing; give {options}")
    return JobSettings(
        stream=_streams(arguments.stream or [DEFAULT_STREAM]),
        queue=queue_address(arguments),
        postgres=postgres_dsn(arguments),
        keyset=keyset_uri(arguments),
        receive=ReceiveSettings(
            micro_batch_size=arguments.micro_batch_size,
            micro_batch_seconds=arguments.micro_batch_seconds,
            visibility_timeout_seconds=arguments.visibility_timeout_seconds,
            long_poll_seconds=_long_poll_seconds(arguments),
        ),
        pollers=arguments.pollers,
        until_empty=arguments.until_empty,
        db_retry_seconds=arguments.db_retry_seconds,
        unmatched=Unmatched(arguments.unmatched),
        stop_when_rejected=check_max_percent(arguments.stop_when_rejected),
        hash_keyset=hash_keyset_uri(arguments),
    )


def _long_poll_seconds(arguments: argparse.Namespace) -> int:
    if arguments.long_poll_seconds is not None:
        return int(arguments.long_poll_seconds)
    return UNTIL_EMPTY_LONG_POLL_SECONDS if arguments.until_empty else ReceiveSettings().long_poll_seconds


def _streams(names_or_paths: Sequence[str]) -> StreamDefinition | StreamSet:
    """Return the streams that are named; one alone as it is, for its messages need no choice."""
    streams = load_streams(names_or_paths)
    return streams if len(streams.streams) > 1 else streams.streams[0]
