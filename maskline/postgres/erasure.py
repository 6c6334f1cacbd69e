"""Forgetting a person in the database: the rows of a stream's table, and the rejections, whose bodies are decrypted.

What Postgres itself keeps of deleted rows, in pages until VACUUM, in its write-ahead log and in backups, is out of
reach from here; docs/lake.md says what to do about it.
"""

from __future__ import annotations

import json
import logging
import re

import msgspec
from psycopg2 import sql

from maskline.errors import TokenError, UsageError
from maskline.masks.deterministic import Masker
from maskline.postgres.access_log import enter_access
from maskline.postgres.connection import Connection, map_postgres_errors
from maskline.postgres.key_usage import FULL_SCAN_SETTINGS
from maskline.streams.definition import StreamDefinition

ROWS_PER_FETCH = 500
PERSON_FIELD = "user_id"

logger = logging.getLogger(__name__)


class Erasure(msgspec.Struct, frozen=True):
    """What was removed from a database.

    Attributes:
        rows: How many rows of the stream's table.
        rejections: How many rejections.
        unreadable: Message ids of rejections that the keyset does not decrypt, so that nobody knows whose they are.
    """

    rows: int
    rejections: int
    unreadable: list[str]


def person_column(stream: StreamDefinition) -> str:
    """Return the column that says whose a row is.

    Args:
        stream: The stream.

    Raises:
        UsageError: The stream has no field ``user_id``, or masks it.
    """
    for column in stream.columns:
        if column.field == PERSON_FIELD and not column.is_masked:
            return column.name
    raise UsageError(
        f"stream {stream.name}: has no column in clear for the field {PERSON_FIELD}, so nobody is found by it"
    )


def erase_from_database(
    connection: Connection, stream: StreamDefinition, masker: Masker, person: str, reason: str
) -> Erasure:
    """Delete a person's rows and rejections, and enter how many into ``pii_access_log``, in one transaction.

    A rejection is the person's where its body says so: in a field ``user_id`` at any depth, or, where the body is no
    JSON, anywhere as a word of its own.

    Args:
        connection: A connection with the permissions of ``maskline_eraser``.
        stream: The stream.
        masker: Decrypts the bodies.
        person: The person.
        reason: Why, without saying whom.

    Raises:
        DatabaseError: A table or a permission is missing.
    """
    column = person_column(stream)
    delete = sql.SQL("DELETE FROM {} WHERE {} = %s").format(sql.Identifier(*stream.table_parts), sql.Identifier(column))
    unreadable: list[str] = []
    theirs: list[str] = []
    with map_postgres_errors(), connection, connection.cursor() as cursor:
        cursor.execute(FULL_SCAN_SETTINGS)
        cursor.execute(delete, [person])
        rows = cursor.rowcount
        logger.debug("erase: deleted rows")
        with connection.cursor("bodies") as bodies:
            bodies.itersize = ROWS_PER_FETCH
            bodies.execute("SELECT message_id::text, body FROM rejected_messages WHERE stream = %s", [stream.name])
            for message_id, sealed in bodies:
                try:
                    if _is_theirs(masker.unseal_body(bytes(sealed)), person):
                        theirs.append(message_id)
                except TokenError:
                    unreadable.append(message_id)
        cursor.execute("DELETE FROM rejected_messages WHERE message_id = ANY (%s::uuid[])", [theirs])
        if removed := rows + len(theirs):
            action = "erase from postgres"
            enter_access(cursor, action=action, stream=stream.name, column=column, row_count=removed, reason=reason)
        logger.debug("erase: deleted rejections")
    return Erasure(rows, len(theirs), unreadable)


def _is_theirs(body: str, person: str) -> bool:
    is_named = False

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal is_named
        is_named = is_named or any(name == PERSON_FIELD and str(value) == person for name, value in pairs)

    try:
        json.loads(body, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return re.search(rf"(?<![\w-]){re.escape(person)}(?![\w-])", body) is not None
    return is_named
