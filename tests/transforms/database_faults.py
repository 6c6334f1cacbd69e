"""Faults of a database, made inside it."""

from __future__ import annotations

from maskline.postgres.connection import Connection
from tests.maskline.postgres.records import run


def fail_commits(database: Connection, table: str, times: int, sqlstate: str = "40001") -> None:
    """Make the first commits of inserts into a table fail, after the insert itself went well.

    Args:
        database: The database.
        table: The table.
        times: How many commits fail.
        sqlstate: What they fail with.
    """
    # A sequence remembers what a transaction that was rolled back took from it.
    run(
        database,
        f"""
        CREATE SEQUENCE commits;
        GRANT USAGE ON SEQUENCE commits TO PUBLIC;
        CREATE FUNCTION fail_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('commits') <= {times} THEN
                RAISE EXCEPTION 'the commit failed' USING ERRCODE = '{sqlstate}';
            END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER fail_commit AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION fail_commit();
        """,
    )
