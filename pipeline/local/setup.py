"""Preparing the local parts of a job: queue, table and keyset are made if they are not there yet."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

from maskline.keys import KeysetUri
from maskline.keys.files import FileKeyset
from maskline.keys.keyset import serialize_keyset
from maskline.keys.kinds import KeysetKind
from maskline.pipeline.flink.local_cluster import FlinkCluster
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.directory import LocalDirectory
from maskline.pipeline.local.postgres import DATABASE, OWNERS_TABLE, EmbeddedPostgres
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.pipeline.options import DEFAULT_STREAM, UNTIL_EMPTY_LONG_POLL_SECONDS
from maskline.pipeline.preflight import preflight, raise_on_problems
from maskline.postgres.connection import connect
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.schema import Schema
from maskline.postgres.table_changes import apply_changes, table_changes
from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition, load_stream

SAMPLED_STREAM = DEFAULT_STREAM
"""The stream of the sample messages."""

QUEUE = "logins"
LOCAL_VISIBILITY_SECONDS = 10
"""Short, so that a run after one that was killed has not long to wait for the messages which that had in flight."""


def forget_earlier_runs(directory: LocalDirectory) -> None:
    """Stop what earlier runs left behind in a directory, and remove their data.

    Args:
        directory: The directory.
    """
    FlinkCluster.stop_left_behind(directory.flink)
    EmbeddedPostgres.stop_left_behind(directory.postgres)
    EmbeddedSqs.stop_left_behind(directory.sqs)
    directory.clear()


def prepare_job(
    directory: LocalDirectory,
    postgres: EmbeddedPostgres,
    sqs: EmbeddedSqs,
    stream: StreamDefinition | None = None,
    *,
    until_empty: bool,
) -> JobSettings:
    """Make the queue, the table and the keysets where there are none, migrate, and return a job that uses them.

    Args:
        directory: Where the keysets are.
        postgres: The database server.
        sqs: The SQS API.
        stream: The stream; that of the sample messages if None.
        until_empty: Whether the job ends once the queue is empty.

    Raises:
        MasklineError: The job could not start with them.
    """
    postgres.create_database(DATABASE, OWNERS_TABLE)
    dsn = postgres.dsn(DATABASE)
    Schema(functools.partial(connect, dsn)).migrate()
    if stream is not None:
        _make_table(dsn, stream)
    stream = stream or load_stream(SAMPLED_STREAM)
    keyset = _keyset(directory.keyset, KeysetKind.MASK)
    hash_keyset = _keyset(directory.hash_keyset, KeysetKind.HASH) if stream.hashed_columns else None
    receive = ReceiveSettings(
        long_poll_seconds=UNTIL_EMPTY_LONG_POLL_SECONDS, visibility_timeout_seconds=LOCAL_VISIBILITY_SECONDS
    )
    job = JobSettings(
        stream=stream,
        queue=QueueAddress(sqs.create_queue(QUEUE if stream.name == SAMPLED_STREAM else stream.name), sqs.endpoint),
        postgres=PostgresDsn.parse(dsn),
        keyset=keyset,
        hash_keyset=hash_keyset,
        receive=receive,
        until_empty=until_empty,
    )
    raise_on_problems(preflight(job))
    return job


def _make_table(dsn: str, stream: StreamDefinition) -> None:
    """Make the table of a stream, or add to it what it lacks."""
    with contextlib.closing(connect(dsn)) as connection:
        connection.autocommit = True
        apply_changes(connection, table_changes(connection, stream))


def _keyset(path: Path, kind: KeysetKind) -> KeysetUri:
    keyset = FileKeyset(path)
    if not path.exists():
        keyset.create(serialize_keyset(kind.new_handle()))
    return KeysetUri.parse(keyset.uri)
