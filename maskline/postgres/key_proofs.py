"""Whether the keys of a job are those that a database's rows were masked under: by what they make of one text.

Ids alone do not say so: a keyset can hold another key by the same id. What such a job wrote would join with nothing,
and nobody would bring it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.keys import Keyset
from maskline.keys.hash_keyset import HashKeyset
from maskline.keys.key_proofs import hash_key_proof, key_proofs
from maskline.postgres.column_registry import enter_columns, tables_of
from maskline.postgres.connection import Connection
from maskline.streams.stream import StreamDefinition

_IS_KNOWN = "SELECT to_regprocedure('maskline_prove_keys(bigint, bigint[], bytea[])') IS NOT NULL"
_PROOFS = "SELECT key_id, proof FROM maskline_keys WHERE proof IS NOT NULL ORDER BY first_seen, key_id"
_PROVE = "SELECT maskline_prove_keys(%s, %s::bigint[], %s::bytea[])"
_HASH_PROOFS = """
    SELECT column_name FROM maskline_columns
    WHERE table_name = %s AND column_name = ANY (%s::name[]) AND proof <> %s
    ORDER BY column_name
"""
_PROVE_HASHES = "SELECT maskline_prove_hashes(%s, %s, %s::name[], %s)"


def false_keys(
    connection: Connection, keyset: Keyset, hash_keyset: HashKeyset | None, streams: Sequence[StreamDefinition]
) -> tuple[list[str], list[str]]:
    """Find the keys that are not those that they are called.

    Args:
        connection: A connection that may read ``maskline_keys`` and ``maskline_columns``.
        keyset: The keyset.
        hash_keyset: The keyset of hashes, if there is one.
        streams: The streams of the job.

    Returns:
        Problems of the keyset, and of the keyset of hashes, a sentence each; none where the schema has no proofs.

    Raises:
        psycopg.Error: The database cannot be asked.
    """
    if not _has_proofs(connection):
        return [], []
    proofs = key_proofs(keyset)
    of_keys = [
        f"its key {key_id} is another than the key by that id which this database knows, so what it masks would not "
        "join with the rows that are there, nor unmask them; give the keyset that has that key"
        for key_id, proof in connection.execute(_PROOFS).fetchall()
        if proofs.get(key_id, proof) != proof
    ]
    if hash_keyset is None:
        return of_keys, []
    proof = hash_key_proof(hash_keyset)
    of_hashes = [
        f"column {stream.table}.{name} was hashed with another keyset of hashes, so that equal values would not have "
        "equal hashes; give that one"
        for stream in streams
        for table in tables_of(connection, stream)
        for (name,) in connection.execute(_HASH_PROOFS, [table, _hashed_names(stream), proof]).fetchall()
    ]
    return of_keys, of_hashes


def enter_proofs(
    connection: Connection, keyset: Keyset, hash_keyset: HashKeyset | None, streams: Sequence[StreamDefinition]
) -> None:
    """Enter the proofs of a job's keys, where there are none yet, and the columns that they are for.

    Args:
        connection: A connection with the permissions of ``maskline_writer``, in a transaction that writes nothing else.
        keyset: As for `false_keys`, like all that follows.
        hash_keyset: The keyset of hashes, if there is one.
        streams: The streams of the job.

    Raises:
        psycopg.Error: They cannot be entered.
    """
    if not _has_proofs(connection):
        return
    # A proof that a failover loses is entered at the next start, and a standby that is away keeps no job from starting.
    connection.execute("SET LOCAL synchronous_commit = local")
    proofs = key_proofs(keyset)
    connection.execute(_PROVE, [keyset.primary_key_id, list(proofs), list(proofs.values())]).fetchall()
    if hash_keyset is None:
        return
    proof = hash_key_proof(hash_keyset)
    for stream in streams:
        names = _hashed_names(stream)
        if names:
            enter_columns(connection, stream)
        for table in tables_of(connection, stream):
            connection.execute(_PROVE_HASHES, [stream.name, table, names, proof]).fetchall()


def _hashed_names(stream: StreamDefinition) -> list[str]:
    return [column.name for column in stream.hashed_columns]


def _has_proofs(connection: Connection) -> bool:
    return connection.execute(_IS_KNOWN).fetchall() == [(True,)]
