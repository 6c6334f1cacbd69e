"""Which rows still need a key, in the database and in the opaque copy in the data lake."""

from __future__ import annotations

import argparse
import contextlib
from datetime import UTC

from maskline.errors import UsageError
from maskline.keys.keyset_editor import DESTROYED, DISABLED, ENABLED, RAW, KeyInfo
from maskline.lake.copies import Copy
from maskline.pipeline.lake_options import add_lake, opaque_copy
from maskline.pipeline.options import Options
from maskline.pipeline.printing import echo
from maskline.pipeline.program import program_name
from maskline.postgres.connection import Connection, connect
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.key_registry import KeyWriter, recent_writers, set_key_state
from maskline.postgres.key_usage import KeyUsage, key_usage
from maskline.postgres.token_search import search_tokens

NO_DATABASE = (
    "No database was told: a job that masks under it goes on, what it writes is lost with the key, and nobody counted "
    "the rows that need it."
)
RECENT_SECONDS = 3600
"""For how long after a job last wrote under a key it may be that it still does."""

NOT_LOOKED_AT = "A copy in a data lake was not looked at; where there is one, say --lake_opaque URI."


def add_opaque_copy(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the opaque copy is, whose rows may need a key, too."""
    options = Options(parser)
    options.add_stream()
    add_lake(options, (Copy.TOKENIZED,))


def usage_in_database(dsn: PostgresDsn) -> list[KeyUsage]:
    """Return how many rows of each table of a database carry each key id.

    Args:
        dsn: The database.

    Raises:
        DatabaseError: They cannot be counted.
    """
    with contextlib.closing(connect(dsn)) as connection:
        return key_usage(connection)


def usage_in_copy(arguments: argparse.Namespace) -> list[KeyUsage]:
    """Return how many rows of the opaque copy carry each key id; nothing where the copy is not given.

    Args:
        arguments: The command line.

    Raises:
        UsageError: The place will not do.
        LakeError: The copy is not there, or may not be read.
        LakeUnavailableError: The store does not answer.
    """
    table = opaque_copy(arguments)
    if table is None:
        return []
    from maskline.lake.key_usage import copy_key_usage  # an extra brings its libraries

    return [copy_key_usage(table)]


def check_copy_does_not_need(key: KeyInfo, arguments: argparse.Namespace) -> None:
    """Check that no row of the opaque copy needs a key, or print that no copy was looked at.

    Args:
        key: The key.
        arguments: The command line.

    Raises:
        UsageError: A row does; the message says how many, and what to do.
    """
    _check_not_needed(key, [], usage_in_copy(arguments))


def check_nothing_needs(key: KeyInfo, dsn: PostgresDsn, arguments: argparse.Namespace) -> None:
    """Check that no row of a database or of the opaque copy needs a key, and that no job recently wrote under it.

    The database refuses the key from here on, so that what is counted does not grow.

    Args:
        key: The key.
        dsn: The database.
        arguments: The command line.

    Raises:
        UsageError: A row does; the message says how many, and what to do. Or a job may still mask under it.
    """
    with contextlib.closing(connect(dsn)) as connection:
        if key.prefix != RAW:
            set_key_state(connection, key.key_id, DISABLED)
        in_database = key_usage(connection)
        if key.prefix != RAW:
            in_database += _tokens_elsewhere(connection, key.key_id)
        _check_not_needed(key, in_database, usage_in_copy(arguments))
        writers = recent_writers(connection, key.key_id, RECENT_SECONDS) if key.prefix != RAW else []
    if writers:
        raise UsageError(
            f"key {key.key_id}: was written under within the last hour by {_listed(writers)}; see that these jobs run "
            "with a newer keyset, and wait, or say --force"
        )


def disable_in_database(key_id: int, dsn: PostgresDsn) -> None:
    """Have a database refuse a key, and print which rows carry it and which jobs recently wrote under it.

    Args:
        key_id: The key.
        dsn: The database.

    Raises:
        MasklineError: The database cannot be told; nothing was changed.
    """
    with contextlib.closing(connect(dsn)) as connection:
        set_key_state(connection, key_id, DISABLED)
        carrying = [
            f"{usage.rows[key_id]:,} rows of {usage.table}" for usage in key_usage(connection) if key_id in usage.rows
        ]
        writers = recent_writers(connection, key_id, RECENT_SECONDS)
    echo("The database takes no rows under it any more.")
    if carrying:
        echo(f"{' and '.join(carrying)} carry its id.")
    if writers:
        echo(f"Within the last hour {_listed(writers)} wrote under it; where one still masks under it, it stops now.")


def enable_in_database(key_id: int, dsn: PostgresDsn) -> None:
    """Have a database accept a key again.

    Args:
        key_id: The key.
        dsn: The database.

    Raises:
        MasklineError: The database cannot be told.
    """
    with contextlib.closing(connect(dsn)) as connection:
        set_key_state(connection, key_id, ENABLED)
    echo("The database takes rows under it again.")


def destroy_in_database(key_id: int, dsn: PostgresDsn) -> None:
    """Have a database refuse a key for ever.

    Args:
        key_id: The key.
        dsn: The database.

    Raises:
        MasklineError: The database cannot be told; nothing was changed.
    """
    with contextlib.closing(connect(dsn)) as connection:
        set_key_state(connection, key_id, DESTROYED)


def _tokens_elsewhere(connection: Connection, key_id: int) -> list[KeyUsage]:
    """Return the tables that name no key and hold tokens of one.

    Raises:
        UsageError: A table that may hold some cannot be read.
    """
    search = search_tokens(connection, key_id)
    if search.unreadable:
        raise UsageError(
            f"key {key_id}: {' and '.join(search.unreadable)} may hold its tokens, and this role may not read them; "
            "grant it SELECT, or say --force"
        )
    if search.unknown:
        echo(f"Not looked at, for this role may not read them: {', '.join(search.unknown)}.")
    return search.found


def _listed(writers: list[KeyWriter]) -> str:
    return " and ".join(f"{writer.job} ({writer.last_written.astimezone(UTC):%H:%M:%S} UTC)" for writer in writers)


def _check_not_needed(key: KeyInfo, in_database: list[KeyUsage], in_copy: list[KeyUsage]) -> None:
    # What a raw key reads carries no id.
    carried = None if key.prefix == RAW else key.key_id
    used = [
        f"{place.rows[carried]:,} rows of {'the ' if place in in_copy else ''}{place.table}"
        for place in in_database + in_copy
        if place.rows.get(carried)
    ]
    if used:
        what = "name no key and may need it" if key.prefix == RAW else "carry its id and need it"
        remedies = [
            f"{program_name()} {command}"
            for command, places in (("remask (once for each stream)", in_database), ("lake remask", in_copy))
            if any(place.rows.get(carried) for place in places)
        ]
        first = "enable it, and " if key.state == DISABLED else ""
        raise UsageError(
            f"key {key.key_id}: {' and '.join(used)} {what}; {first}bring them under the primary key with: "
            f"{', and '.join(remedies)}"
        )
    if in_database:
        echo(f"No row of {' and '.join(table.table for table in in_database)} in this database needs it.")
    echo(f"No row of the {in_copy[0].table} needs it." if in_copy else NOT_LOOKED_AT)
