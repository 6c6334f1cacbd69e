"""Forget a person: remove their rows from the table, from the rejections and from both copies in the lake.

Rejections are found by decrypting them. It is safe to repeat, and has to be repeated where it did not come to its end.
pii_access_log says that it was done, when, by whom and why, and how many rows left which place, and holds a fingerprint
of the person that nobody can turn back, with the keyset or without. Earlier versions of the copies go with lake vacuum.
Takes the role maskline_eraser.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from maskline.errors import UnavailableError, UsageError
from maskline.lake.copies import Copy
from maskline.masks.deterministic import Masker
from maskline.pipeline.lake_options import add_lake, lake_tables
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import Connect, connect
from maskline.postgres.erasure import Erasure, erase_from_database, person_column
from maskline.retry import log_retry, retrying
from maskline.streams.definition import StreamDefinition, load_stream

if TYPE_CHECKING:
    from maskline.lake.table import LakeTable

UNREADABLE_EXIT_CODE = 1
RETRY_SECONDS = 300
MAX_LISTED = 20

Record = Callable[[str, int], None]
"""Enters an action and its number of rows into pii_access_log."""

logger = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()
    add_lake(options)
    options.add("user_id", "the person", required=True, metavar="ID")
    options.add("reason", "why; it goes into pii_access_log, so it must not name them", required=True, metavar="TEXT")
    options.add("no_lake", "there are no copies in a lake", action="store_true")


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Erase; 1 if a rejection cannot be opened, so that nobody knows whose it is."""
    stream = load_stream(arguments.stream)
    person: str = arguments.user_id
    if not person or person in arguments.reason:
        raise UsageError("user_id: is empty, or is in the reason, which is kept; say why without saying whom")
    column = person_column(stream)
    tables = _copies(arguments, stream)
    for table in tables:
        table.newest()  # a copy that is not where it is said to be is found out before anything is removed
    masker = Masker(keyset_uri(arguments).open())
    connecting = functools.partial(connect, postgres_dsn(arguments))
    reason = f"{arguments.reason} (person {masker.fingerprint(person)})"
    record = functools.partial(_record, connecting, stream, column, reason)
    record("erase begun", 0)
    logger.debug("erase: begun")
    with contextlib.closing(connecting()) as connection:
        erased = erase_from_database(connection, stream, masker, person, reason)
    logger.debug("erase: left postgres")
    echo(f"{stream.table}: {erased.rows:,} rows removed.")
    echo(f"rejected_messages: {erased.rejections:,} removed.")
    in_lake = 0
    for table in tables:
        rows = _erase_from_copy(table, column, person, record, connecting)
        echo(f"{table.copy.value}: {rows:,} rows removed from {table.uri}.")
        in_lake += rows
    record("erased", erased.rows + erased.rejections + in_lake)
    logger.debug("erase: ended")
    return _say_what_is_left(erased, [table.copy for table in tables])


def _copies(arguments: argparse.Namespace, stream: StreamDefinition) -> list[LakeTable]:
    if arguments.no_lake:
        return []
    if not (arguments.lake_opaque or arguments.lake_clear):
        raise UsageError(
            "lake: missing; give --lake_opaque and --lake_clear, or say --no_lake where there are no copies in a lake"
        )
    return lake_tables(arguments, stream)


def _erase_from_copy(table: LakeTable, column: str, person: str, record: Record, connecting: Connect) -> int:
    from maskline.lake.erasure import erase_from_copy  # an extra brings its libraries
    from maskline.lake.source import RowSource

    entering = functools.partial(record, f"erase from {table.copy.value} copy")
    retry = retrying(RETRY_SECONDS, threading.Event(), log_retry(logger, "erasing"), on=UnavailableError)
    with contextlib.closing(RowSource(connecting, table.stream)) as source, source.exclusive_lock(table.copy.value):
        return int(retry(erase_from_copy, table, column, person, entering))


def _record(
    connecting: Connect, stream: StreamDefinition, column: str, reason: str, action: str, row_count: int
) -> None:
    with contextlib.closing(connecting()) as connection:
        record_access(connection, action=action, stream=stream.name, column=column, row_count=row_count, reason=reason)


def _say_what_is_left(erased: Erasure, copies: list[Copy]) -> int:
    for copy in Copy:
        if copies and copy not in copies:
            name = copy.value
            echo(f"No {name} copy was named. If there is one, it still has them: erase again, with --lake_{name} URI.")
    if copies:
        from maskline.lake.maintenance import SAFE_RETENTION_HOURS

        echo(
            "Earlier versions of the copies still have them, for readers that look back. They go with lake vacuum, "
            f"{SAFE_RETENTION_HOURS // 24} days from now."
        )
    if not erased.unreadable:
        return 0
    echo(f"{len(erased.unreadable):,} rejections cannot be decrypted with this keyset, so nobody knows whose they are:")
    for message_id in erased.unreadable[:MAX_LISTED]:
        echo(f"  {message_id}")
    return UNREADABLE_EXIT_CODE
