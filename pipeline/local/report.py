"""What a local run shows at its end."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import datetime
from pathlib import Path

from psycopg import sql
from rich.console import Console
from rich.table import Table

from maskline.lake.copies import Copy
from maskline.pipeline.commands.rejects import print_rejects
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.pipeline.local.setup import SAMPLED_STREAM
from maskline.pipeline.local.sqs import CREDENTIALS
from maskline.pipeline.program import program_name
from maskline.pipeline.runners.in_process import RunResult
from maskline.pipeline.summary import summary_table
from maskline.pipeline.tables import new_table, print_table, rows_table
from maskline.postgres.connection import Connection, connect, transaction
from maskline.postgres.rejections import RejectedMessages
from maskline.streams.definition import StreamDefinition

ROWS_SHOWN = 10
REJECTIONS_SHOWN = 3
FREQUENT_TOKENS_SHOWN = 3


def show_results(console: Console, job: JobSettings, ran: RunResult, started_at: datetime) -> None:
    """Print what the run did, and what is in the tables now.

    Args:
        console: Where to.
        job: The job that ran.
        ran: How it went.
        started_at: When it started; its own rows are shown first.
    """
    (stream,) = job.streams
    connection = connect(job.postgres)
    with transaction(connection) as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*stream.table_parts)))
        ((total,),) = cursor.fetchall()
        masked = sql.SQL(", ").join(sql.Identifier(column.name) for column in stream.columns)
        cursor.execute(
            sql.SQL(
                "SELECT {}, create_date FROM {} ORDER BY processed_at < %s, processed_at, sent_at, message_id LIMIT %s"
            ).format(masked, sql.Identifier(*stream.table_parts)),
            [started_at, ROWS_SHOWN],
        )
        print_table(_rows_table(stream, cursor.fetchall(), total, console), console)
    if stream.masked_columns:
        print_table(_frequent_tokens_table(stream, connection), console)
    rejected = RejectedMessages(connection)
    newest = rejected.newest(REJECTIONS_SHOWN)
    console.print(f"\nRejected messages{', the newest:' if newest else ': none'}", style="italic")
    print_rejects(newest, console)
    connection.close()
    console.print()
    print_table(summary_table(ran.counts, ran.seconds), console)


def _rows_table(stream: StreamDefinition, rows: list[tuple[object, ...]], total: int, console: Console) -> Table:
    title = f"{stream.table}: {len(rows)} of {total:,} rows, the first of this run"
    names = [*(column.name for column in stream.columns), "create_date"]
    return rows_table(title, names, rows, console, [column.name for column in stream.masked_columns])


def _frequent_tokens_table(stream: StreamDefinition, connection: Connection) -> Table:
    table = new_table("Equal values have equal tokens: the most frequent ones")
    table.add_column("column", overflow="fold")
    table.add_column("token", style="cyan", overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    with transaction(connection) as cursor:
        for column in stream.masked_columns:
            if column.mask is None or not column.mask.keeps_equality or column.type.is_array:
                continue
            query = sql.SQL(
                "SELECT {column}, count(*) FROM {table} WHERE {column} IS NOT NULL"
                " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %s"
            ).format(column=sql.Identifier(column.name), table=sql.Identifier(*stream.table_parts))
            cursor.execute(query, [FREQUENT_TOKENS_SHOWN])
            for token, count in cursor:
                table.add_row(column.name, str(token), f"{count:,}")
    return table


def next_steps(
    job: JobSettings, postgres: EmbeddedPostgres, stream: str, start_again: str | None, lake: Path | None = None
) -> str:
    """Return what to try next, as commands to copy.

    Args:
        job: The job that ran.
        postgres: The database.
        stream: The stream, as it was named.
        start_again: The command that keeps queue, database and job running, which these commands need; None where
            they do.
        lake: The directory of the copies in the lake, where there are any.
    """
    (definition,) = job.streams
    # Nobody says that the environment is activated.
    pipeline = program_name().replace("python", shlex.quote(os.path.relpath(sys.executable)), 1)
    postgres_dsn = shlex.quote(str(job.postgres))
    database = f"--postgres {postgres_dsn}"
    keyset = f"--keyset {shlex.quote(str(job.keyset))}"
    is_sampled = stream == SAMPLED_STREAM
    of_stream = "" if is_sampled else f" --stream {shlex.quote(stream)}"
    where = " --where \"locale = 'DE'\"" if is_sampled else ""
    hash_keyset = f" --hash_keyset {shlex.quote(str(job.hash_keyset))}" if job.hash_keyset else ""
    credentials = " ".join(f"{name}={value}" for name, value in CREDENTIALS.items())
    queue = f"--queue {job.queue.queue} --queue_endpoint {job.queue.endpoint}"
    return "\n".join(
        [
            *_what_they_need(start_again),
            *(
                line
                for column in definition.reversible_columns[:1]
                for line in (
                    "  recover what a token stands for:",
                    f"    {pipeline} unmask{of_stream} --column {column.name}{where} --reason 'trying it out' \\",
                    f"      {database} {keyset}",
                )
            ),
            "  see what was rejected, and one of them whole:",
            f"    {pipeline} rejects list {database}",
            f"    {pipeline} rejects show MESSAGE_ID --reason 'trying it out' {database} {keyset}",
            "  look into the database:",
            f"    {shlex.quote(os.path.relpath(postgres.psql))} {postgres_dsn}",
            "  start a second job on the same queue:",
            f"    env {credentials} \\",
            f"      {pipeline} run{of_stream} {queue} \\",
            f"      {database} {keyset}{hash_keyset}",
            *(_next_steps_with_lake(f"{database} {keyset}", pipeline, lake) if lake else []),
        ]
    )


def _what_they_need(start_again: str | None) -> list[str]:
    """Return what to do before the next steps can be taken."""
    if start_again is None:
        return ["What to try next, in a second terminal:", ""]
    return [
        "What to try next. Queue and database have ended with this run, so first start all of it again, and leave it",
        "running; it sends more messages, and Ctrl-C ends it:",
        "",
        f"    {start_again}",
        "",
        "Then, in a second terminal,",
        "",
    ]


def _next_steps_with_lake(parts: str, pipeline: str, lake: Path) -> list[str]:
    copies = " ".join(f"--lake_{copy.value} {shlex.quote(str(lake / copy.value))}" for copy in Copy)
    return [
        "  publish what has come since, compare both copies with the table, and forget a person everywhere:",
        *(
            f"    {pipeline} {command} {parts} \\\n      {copies}"
            for command in ("lake publish", "lake verify", "erase --user_id USER_ID --reason 'trying it out'")
        ),
    ]
