"""The local parts made ready for the job: queue, table and keyset, each where there is none yet."""

from __future__ import annotations

import functools

from maskline.keys import KeysetUri, create_keyset
from maskline.keys.files import FileKeyset
from maskline.pipeline.flink.local_cluster import FlinkCluster
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.directory import LocalDirectory
from maskline.pipeline.local.postgres import DATABASE, OWNERS_TABLE, EmbeddedPostgres
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.pipeline.options import UNTIL_EMPTY_LONG_POLL_SECONDS
from maskline.pipeline.preflight import preflight, raise_on_problems
from maskline.postgres.connection import connect
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.schema import Schema
from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import load_stream

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
    directory: LocalDirectory, postgres: EmbeddedPostgres, sqs: EmbeddedSqs, *, until_empty: bool
) -> JobSettings:
    """Make the queue, the table and the keyset where there are none, migrate, and return a job that uses them.

    Args:
        directory: Where the keyset is.
        postgres: The database server.
        sqs: The SQS API.
        until_empty: Whether the job ends once the queue is empty.

    Raises:
        MasklineError: The job could not start with them.
    """
    postgres.create_database(DATABASE, OWNERS_TABLE)
    dsn = postgres.dsn(DATABASE)
    Schema(functools.partial(connect, dsn)).migrate()
    keyset = FileKeyset(directory.keyset)
    if not directory.keyset.exists():
        keyset.create(create_keyset())
    receive = ReceiveSettings(
        long_poll_seconds=UNTIL_EMPTY_LONG_POLL_SECONDS, visibility_timeout_seconds=LOCAL_VISIBILITY_SECONDS
    )
    job = JobSettings(
        stream=load_stream("user_logins"),
        queue=QueueAddress(sqs.create_queue(QUEUE), sqs.endpoint),
        postgres=PostgresDsn.parse(dsn),
        keyset=KeysetUri.parse(keyset.uri),
        receive=receive,
        until_empty=until_empty,
    )
    raise_on_problems(preflight(job))
    return job
