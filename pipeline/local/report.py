"""What a local run shows at its end."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import datetime
from pathlib import Path

from psycopg2 import sql
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from maskline.lake.copies import Copy
from maskline.pipeline.commands.rejects import print_rejects
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.pipeline.local.sqs import CREDENTIALS
from maskline.pipeline.printing import ending_of
from maskline.pipeline.program import program_name
from maskline.pipeline.runners.in_process import RunResult
from maskline.pipeline.summary import summary_table
from maskline.postgres.connection import Connection, connect
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
    with connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*stream.table_parts)))
        ((total,),) = cursor.fetchall()
        masked = sql.SQL(", ").join(sql.Identifier(column.name) for column in stream.columns)
        cursor.execute(
            sql.SQL(
                "SELECT {}, create_date FROM {} ORDER BY processed_at < %s, processed_at, sent_at, message_id LIMIT %s"
            ).format(masked, sql.Identifier(*stream.table_parts)),
            [started_at, ROWS_SHOWN],
        )
        console.print(_rows_table(stream, cursor.fetchall(), total))
    console.print(_frequent_tokens_table(stream, connection))
    rejected = RejectedMessages(connection)
    console.print("\nRejected messages, the newest:", style="italic")
    print_rejects(rejected.newest(REJECTIONS_SHOWN), console)
    connection.close()
    console.print()
    console.print(summary_table(ran.counts, ran.seconds))


def _rows_table(stream: StreamDefinition, rows: list[tuple[object, ...]], total: int) -> Table:
    title = f"{stream.table}: {len(rows)} of {total:,} rows, the first of this run"
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    names = [*(column.name for column in stream.columns), "create_date"]
    for place, name in enumerate(names):
        heading = name.replace("_", "_\n")
        width = max(map(len, [*heading.split("\n"), *(ending_of(row[place]) for row in rows)]))
        is_masked = place < len(stream.columns) and stream.columns[place].is_masked
        table.add_column(heading, style="cyan" if is_masked else None, width=width, overflow="fold")
    for row in rows:
        table.add_row(*map(ending_of, row))
    return table


def _frequent_tokens_table(stream: StreamDefinition, connection: Connection) -> Table:
    table = Table(title="Equal values have equal tokens: the most frequent ones", title_justify="left")
    table.add_column("column")
    table.add_column("token", style="cyan", no_wrap=True)
    table.add_column("rows", justify="right")
    with connection, connection.cursor() as cursor:
        for column in stream.masked_columns:
            query = sql.SQL(
                "SELECT {column}, count(*) FROM {table} WHERE {column} IS NOT NULL"
                " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %s"
            ).format(column=sql.Identifier(column.name), table=sql.Identifier(*stream.table_parts))
            cursor.execute(query, [FREQUENT_TOKENS_SHOWN])
            for token, count in cursor:
                table.add_row(column.name, token, f"{count:,}")
    return table


def next_steps(job: JobSettings, postgres: EmbeddedPostgres, lake: Path | None = None) -> str:
    """Return what to try next, as commands to copy.

    Args:
        job: The job that ran.
        postgres: The database.
        lake: The directory of the copies in the lake, where there are any.
    """
    # Nobody says that the environment is activated.
    pipeline = program_name().replace("python", shlex.quote(os.path.relpath(sys.executable)), 1)
    postgres_dsn = shlex.quote(str(job.postgres))
    database = f"--postgres {postgres_dsn}"
    keyset = f"--keyset {shlex.quote(str(job.keyset))}"
    credentials = " ".join(f"{name}={value}" for name, value in CREDENTIALS.items())
    queue = f"--queue {job.queue.queue} --queue_endpoint {job.queue.endpoint}"
    return "\n".join(
        [
            "What to try next: ./run_local.sh --follow keeps all of it running; then, in a second terminal,",
            "",
            "  recover what a token stands for:",
            f"    {pipeline} unmask --column masked_ip --where \"locale = 'DE'\" --reason 'trying it out' \\",
            f"      {database} {keyset}",
            "  see what was rejected, and one of them whole:",
            f"    {pipeline} rejects list {database}",
            f"    {pipeline} rejects show MESSAGE_ID --reason 'trying it out' {database} {keyset}",
            "  look into the database:",
            f"    {shlex.quote(os.path.relpath(postgres.psql))} {postgres_dsn}",
            "  start a second job on the same queue:",
            f"    env {credentials} \\",
            f"      {pipeline} run {queue} \\",
            f"      {database} {keyset}",
            *(_next_steps_with_lake(f"{database} {keyset}", pipeline, lake) if lake else []),
        ]
    )


def _next_steps_with_lake(parts: str, pipeline: str, lake: Path) -> list[str]:
    copies = " ".join(f"--lake_{copy.value} {shlex.quote(str(lake / copy.value))}" for copy in Copy)
    return [
        "  publish what has come since, compare both copies with the table, and forget a person everywhere:",
        *(
            f"    {pipeline} {command} {parts} \\\n      {copies}"
            for command in ("lake publish", "lake verify", "erase --user_id USER_ID --reason 'trying it out'")
        ),
    ]
