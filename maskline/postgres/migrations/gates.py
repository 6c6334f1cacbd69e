"""Gates: triggers that enter into the ledger what a job of a version before it writes.

A job that enters its outcomes itself says so by a setting of its transaction and passes. A gate stays while its table
has a unique index on ``message_id`` alone, for so long an older job can write to it: its ``ON CONFLICT`` names that
index. With ``rejected_messages``, whose primary key it is, that is for ever.

A gate keeps nobody else's row back. Whoever restores rows, or moves them into an archive, inserts messages that have
their outcome already, and must find every row there. So it knows an older job by how its statements begin.
"""

from __future__ import annotations

from maskline.postgres.migrations.catalog import WRITTEN_TABLES

FUNCTION = """
CREATE OR REPLACE FUNCTION maskline_gate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    INSERT INTO maskline_outcomes (message_id, sent_at) VALUES (NEW.message_id, NEW.sent_at) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN NEW;
    END IF;
    RETURN NULL; -- it has its outcome already; the older job takes it for a duplicate, which it is
END $$
"""

_CAN_BE_WRITTEN = """EXISTS (
        SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE indrelid = {table} AND indisunique AND indnkeyatts = 1 AND indpred IS NULL AND attname = 'message_id'
    )"""
"""Whether an older job can write to a table."""

_OLDER_JOBS_LOCK = "(7881707728092622437)"
"""What every statement of an older job begins with, and no other: its advisory lock, "maskline" in ASCII."""

CREATE = f"""
    SELECT format(
        'CREATE TRIGGER maskline_gate BEFORE INSERT ON %s FOR EACH ROW'
        ' WHEN (NEW.message_id IS NOT NULL AND NEW.sent_at IS NOT NULL'
        ' AND current_setting(''maskline.ledger'', true) IS DISTINCT FROM ''on'''
        ' AND position(''{_OLDER_JOBS_LOCK}'' IN left(current_query(), 300)) > 0)'
        ' EXECUTE FUNCTION maskline_gate()', name)
    FROM ({WRITTEN_TABLES}) AS written
    WHERE ({_CAN_BE_WRITTEN.format(table="written.oid")} OR written.oid = to_regclass('user_logins'))
      AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = written.oid AND tgname = 'maskline_gate')
"""  # noqa: S608 - built from constants

_GATED = """
    SELECT tgrelid FROM pg_trigger
    WHERE tgname = 'maskline_gate' AND tgparentid = 0 AND tgfoid = to_regproc('maskline_gate')
"""

DROP_ALL = f"SELECT format('DROP TRIGGER IF EXISTS maskline_gate ON %s', tgrelid::regclass) FROM ({_GATED}) AS gated"  # noqa: S608

DROP_UNUSED = f"{DROP_ALL} WHERE NOT {_CAN_BE_WRITTEN.format(table='tgrelid')}"
"""Drops the gates of the tables that no older job can write to any more."""
