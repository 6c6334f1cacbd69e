"""Forget persons: remove their rows from every stream's table, from the rejections and from both copies in the lake.

--by names the column, or the field, that says whose a row is, and the persons come from standard input, one a line: a
command line is seen by everybody on a machine. Every place is looked through before the first change. Rejections are
judged by decrypting and decoding them; of those that mention somebody and do not say whose they are, --review shows a
list, and --message_id or --not_theirs decides. Messages that were sent before and are delivered again become no rows.
It is safe to repeat, and has to be repeated where it did not come to its end. pii_access_log says that it was done,
when, by whom and why, and how many rows left which place, and holds a fingerprint of each person that nobody can turn
back, with the keyset or without. Earlier versions of the copies go with lake vacuum. Takes the role maskline_eraser.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import re
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from maskline.errors import UnavailableError, UsageError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.masks.deterministic import Masker
from maskline.pipeline.lake_options import add_lake, lake_tables
from maskline.pipeline.options import DEFAULT_STREAM, Options, keyset_uri, postgres_dsn
from maskline.pipeline.printing import echo, notice
from maskline.pipeline.standard_input import values_of_lines
from maskline.postgres.access_log import record_access
from maskline.postgres.column_registry import compare_columns
from maskline.postgres.connection import Connect, Connection, connect, map_postgres_errors
from maskline.postgres.erasure import (
    DatabaseEraser,
    Erasure,
    UndecidedRejection,
    published_copies,
    stored_values,
    values_of,
)
from maskline.retry import log_retry, retrying
from maskline.streams.definition import StreamDefinition, load_stream
from maskline.streams.subjects import Subject, find_subjects

if TYPE_CHECKING:
    from maskline.lake.table import LakeTable

UNDECIDED_EXIT_CODE = 1
RETRY_SECONDS = 300
MAX_LISTED = 20
MAX_PERSONS_PER_ENTRY = 10
STREAM_PLACEHOLDER = "{stream}"
_USER_ID = "user_id"

logger = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_keyset()
    options.add_streams("a stream whose rows to look through (user_logins)")
    add_lake(options)
    options.add(
        "by", "the column, or the field, that says whose a row is; persons come from standard input", metavar="COLUMN"
    )
    options.add(_USER_ID, "one person, by the column user_id; others see a command line", metavar="ID")
    options.add("reason", "why; it goes into pii_access_log, so it must not name them", metavar="TEXT")
    options.add("no_lake", "there are no copies in a lake", action="store_true")
    options.add("dry_run", "say what would leave which place, and change nothing", action="store_true")
    options.add(
        "review", "list every rejection of which nobody can tell whose it is, and change nothing", action="store_true"
    )
    for name, meaning in (("message_id", "are theirs, and leave"), ("not_theirs", "are not theirs, and stay")):
        options.add(name, f"rejections of those that --review lists which {meaning}", metavar="ID[,ID…]", default="")


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Erase; 1 where something is left that could be theirs."""
    streams = [load_stream(name) for name in arguments.stream or [DEFAULT_STREAM]]
    if arguments.by and arguments.user_id:
        raise UsageError("by: goes with persons from standard input, and not with --user_id")
    if not (arguments.by or arguments.user_id):
        raise UsageError(
            "by: missing; name the column that says whose a row is, and give the persons on standard input"
        )
    by = arguments.by or _USER_ID
    subjects = find_subjects(streams, by)
    decisions = _decisions(arguments)
    changes_nothing = arguments.dry_run or arguments.review
    persons = _persons(arguments)
    if not changes_nothing:
        _check_reason(arguments.reason, persons)
    keyset = keyset_uri(arguments).open()
    connecting = functools.partial(connect, postgres_dsn(arguments))
    with contextlib.closing(connecting()) as connection:
        differences = _differences(connection, streams)
        published = published_copies(connection)
        copies = _Copies(arguments, subjects, persons, keyset, published)
        eraser = DatabaseEraser(connection, keyset, streams, subjects, by, persons, decisions)
        rehearsed = eraser.rehearse()
        in_copies = copies.counts()
        for stream in streams:
            if not any(subject.stream == stream for subject in subjects):
                echo(f"{stream.table}: not looked through, for {by} does not say whose the rows of {stream.name} are.")
        if changes_nothing:
            would_leave = _say_what_would_leave(rehearsed, copies, in_copies, lists_all=arguments.review)
            return UNDECIDED_EXIT_CODE if differences else would_leave
        log = _Log(connecting, subjects, arguments.reason, persons, Masker(keyset))
        log.begin()
        logger.debug("erase: begun")
        erased = eraser.erase(log.reason)
    logger.debug("erase: left postgres")
    _say_what_left(erased, "removed")
    in_lake = copies.erase(log, connecting)
    log.record("erased", sum(erased.rows.values()) + erased.rejections + in_lake)
    logger.debug("erase: ended")
    _say_what_is_left(erased, copies, MAX_LISTED)
    return 0 if erased.is_decided and not (copies.unnamed or differences) else UNDECIDED_EXIT_CODE


def _differences(connection: Connection, streams: Sequence[StreamDefinition]) -> bool:
    """Return whether rows may hold a person in a form that the definitions do not make, and tell how.

    Raises:
        UsageError: They surely do: nobody would be found in them.
    """
    with map_postgres_errors():
        comparisons = [compare_columns(connection, stream) for stream in streams]
        connection.rollback()
    problems = [problem for comparison in comparisons for problem in comparison.problems]
    if problems:
        raise UsageError(f"stream: the definition is not the one that rows were masked by: {'; '.join(problems)}")
    warnings = [warning for comparison in comparisons for warning in comparison.warnings]
    for warning in warnings:
        echo(f"{warning}, and rows of before are not found by it.")
    return bool(warnings)


def _persons(arguments: argparse.Namespace) -> list[str]:
    if arguments.user_id is not None:
        notice("user_id: everybody on this machine sees a command line; --by user_id reads from standard input")
        persons = [arguments.user_id]
    else:
        persons = [line.rstrip("\r") for line in values_of_lines("persons")]
    persons = list(dict.fromkeys(filter(str.strip, persons)))
    if not persons:
        raise UsageError("by: standard input names nobody" if arguments.by else "user_id: is empty")
    return persons


def _decisions(arguments: argparse.Namespace) -> dict[str, bool]:
    decisions: dict[str, bool] = {}
    for name, is_theirs in (("message_id", True), ("not_theirs", False)):
        for text in filter(None, getattr(arguments, name).split(",")):
            try:
                message_id = str(uuid.UUID(text.strip()))
            except ValueError:
                raise UsageError(f"{name}: {text!r} is not a message id") from None
            if decisions.setdefault(message_id, is_theirs) is not is_theirs:
                raise UsageError(f"not_theirs: names {message_id}, as message_id does")
    return decisions


def _check_reason(reason: str | None, persons: Sequence[str]) -> None:
    if not (reason or "").strip():
        raise UsageError("reason: missing; say why, without saying whom")
    if any(re.search(rf"(?<!\w){re.escape(person)}(?!\w)", str(reason)) for person in persons):
        raise UsageError("reason: names the person, and is kept; say why without saying whom")


class _Log:
    """What is entered into pii_access_log around the transactions that remove something."""

    def __init__(
        self, connect: Connect, subjects: Sequence[Subject], reason: str, persons: Sequence[str], masker: Masker
    ) -> None:
        names = ", ".join(dict.fromkeys(subject.stream.name for subject in subjects))
        self._connect = connect
        self._stream = names if len(names) <= 63 else "several streams"
        self._column = subjects[0].column.name
        fingerprints = [masker.fingerprint(person) for person in persons]
        pages = [
            fingerprints[first : first + MAX_PERSONS_PER_ENTRY]
            for first in range(0, len(fingerprints), MAX_PERSONS_PER_ENTRY)
        ]
        word = "person" if len(persons) == 1 else "persons"
        self._begun = [f"{reason} ({word} {', '.join(page)})" for page in pages]
        self.reason = self._begun[0] if len(pages) == 1 else f"{reason} ({len(persons)} persons, of the entries before)"

    def begin(self) -> None:
        for reason in self._begun:
            self._record("erase begun", 0, reason)

    def record(self, action: str, row_count: int) -> None:
        self._record(action, row_count, self.reason)

    def _record(self, action: str, row_count: int, reason: str) -> None:
        with contextlib.closing(self._connect()) as connection:
            record_access(
                connection,
                action=action,
                stream=self._stream,
                column=self._column,
                row_count=row_count,
                reason=reason,
            )


class _Copies:
    """The copies in the lake, and what they hold of the persons."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        subjects: Sequence[Subject],
        persons: Sequence[str],
        keyset: Keyset,
        published: set[tuple[str, str]],
    ) -> None:
        self._subjects = subjects
        self._persons = persons
        self._keyset = keyset
        streams = list(dict.fromkeys(subject.stream for subject in subjects))
        self.tables: list[LakeTable] = []
        if not arguments.no_lake:
            self.tables = _named_copies(arguments, streams, published)
        named = {(table.stream.name, table.copy.value) for table in self.tables}
        self.unnamed = sorted(
            (stream.name, copy.value)
            for stream in streams
            for copy in Copy
            if (stream.name, copy.value) in published - named
        )

    def counts(self) -> list[int]:
        """Count the rows in each; one that is not where it is said to be is found out before anything is removed."""
        if not self.tables:
            return []
        from maskline.lake.erasure import count_in_copy  # an extra brings its libraries

        return [
            sum(count_in_copy(table, subject.column.name, values) for subject, values in self._held(table))
            for table in self.tables
        ]

    def erase(self, log: _Log, connect: Connect) -> int:
        removed = 0
        for table in self.tables:
            rows = self._erase_from(table, log, connect)
            echo(f"{table.copy.value}: {rows:,} rows removed from {table.uri}.")
            removed += rows
        return removed

    def _erase_from(self, table: LakeTable, log: _Log, connect: Connect) -> int:
        from maskline.lake.erasure import erase_from_copy
        from maskline.lake.source import RowSource

        entering: Callable[[int], None] = functools.partial(log.record, f"erase from {table.copy.value} copy")
        retry = retrying(RETRY_SECONDS, threading.Event(), log_retry(logger, "erasing"), on=UnavailableError)
        with contextlib.closing(RowSource(connect, table.stream)) as source, source.exclusive_lock(table.copy.value):
            return sum(
                int(retry(erase_from_copy, table, subject.column.name, values, entering))
                for subject, values in self._held(table)
            )

    def _held(self, table: LakeTable) -> list[tuple[Subject, list[str]]]:
        """Return what a copy holds of the persons: the opaque one what the table holds, the clear one their values."""
        return [
            (
                subject,
                stored_values(subject, self._persons, self._keyset)
                if table.copy is Copy.TOKENIZED
                else values_of(subject, self._persons),
            )
            for subject in self._subjects
            if subject.stream == table.stream
        ]


def _named_copies(
    arguments: argparse.Namespace, streams: Sequence[StreamDefinition], published: set[tuple[str, str]]
) -> list[LakeTable]:
    uris = {copy: getattr(arguments, f"lake_{copy.value}") for copy in Copy}
    if not any(uris.values()):
        raise UsageError(
            "lake: missing; give --lake_opaque and --lake_clear, or say --no_lake where there are no copies in a lake"
        )
    for copy, uri in uris.items():
        if uri and len(streams) > 1 and STREAM_PLACEHOLDER not in uri:
            raise UsageError(
                f"lake_{copy.value}: write {STREAM_PLACEHOLDER} where the name of the stream stands, of several"
            )
    found = []
    for stream in streams:
        of_stream = argparse.Namespace(**vars(arguments))
        is_marked = False
        for copy, uri in uris.items():
            is_marked = is_marked or STREAM_PLACEHOLDER in (uri or "")
            setattr(of_stream, f"lake_{copy.value}", uri and uri.replace(STREAM_PLACEHOLDER, stream.name))
        found += [
            table
            for table in lake_tables(of_stream, stream)
            if not is_marked or (stream.name, table.copy.value) in published
        ]
    return found


def _say_what_would_leave(erasure: Erasure, copies: _Copies, in_copies: Sequence[int], *, lists_all: bool) -> int:
    if not lists_all:
        _say_what_left(erasure, "would be removed")
        for table, rows in zip(copies.tables, in_copies, strict=True):
            echo(f"{table.copy.value}: {rows:,} rows would be removed from {table.uri}.")
    _say_what_is_left(erasure, copies, len(erasure.undecided) if lists_all else MAX_LISTED)
    return 0 if erasure.is_decided and not copies.unnamed else UNDECIDED_EXIT_CODE


def _say_what_left(erasure: Erasure, done: str) -> None:
    for subject, rows in erasure.rows.items():
        echo(f"{subject.stream.table}: {rows:,} rows {done}.")
    echo(f"rejected_messages: {erasure.rejections:,} {done}.")


def _say_what_is_left(erasure: Erasure, copies: _Copies, most: int) -> None:
    for name in erasure.other_tables:
        echo(f"{name}: not looked through, for no stream given writes it; give its --stream, too.")
    for subject, rows in erasure.unknown_keys.items():
        echo(
            f"{subject.stream.table}: {rows:,} rows have {subject.column.name} under keys that this keyset does not "
            "hold, so nobody knows whose they are."
        )
    for stream, copy in copies.unnamed:
        echo(f"The {copy} copy of {stream} was not named and still has them: erase again, with --lake_{copy} URI.")
    if copies.tables:
        from maskline.lake.maintenance import SAFE_RETENTION_HOURS

        echo(
            "Earlier versions of the copies still have them, for readers that look back. They go with lake vacuum, "
            f"{SAFE_RETENTION_HOURS // 24} days from now."
        )
    if erasure.undecided:
        _list_undecided(erasure.undecided, most)


def _list_undecided(undecided: Sequence[UndecidedRejection], most: int) -> None:
    echo(
        f"{len(undecided):,} rejections may be theirs, and nobody can tell. Look at each with rejects show, and erase "
        "again with --message_id ID if it is theirs, --not_theirs ID if it is not:"
    )
    for each in undecided[:most]:
        why = "mentions them" if each.is_readable else "cannot be decrypted with this keyset"
        echo(f"  {each.message_id}  {each.sent_at:%F %T} UTC  {each.stream}: {each.reason}; {why}")
    if len(undecided) > most:
        echo(f"  and {len(undecided) - most:,} more; --review lists them all")
