"""Gates: triggers that enter into the ledger what a job of a version before it writes.

A job that enters its outcomes itself says so by a setting of its transaction and passes. A gate stays while its table
has a unique index on ``message_id`` alone, for so long an older job can write to it: its ``ON CONFLICT`` names that
index. With ``rejected_messages``, whose primary key it is, that is for ever.
"""

from __future__ import annotations

from maskline.postgres.migrations.catalogue import WRITTEN_TABLES

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

CREATE = f"""
    SELECT format(
        'CREATE TRIGGER maskline_gate BEFORE INSERT ON %s FOR EACH ROW'
        ' WHEN (NEW.message_id IS NOT NULL AND NEW.sent_at IS NOT NULL'
        ' AND current_setting(''maskline.ledger'', true) IS DISTINCT FROM ''on'')'
        ' EXECUTE FUNCTION maskline_gate()', name)
    FROM ({WRITTEN_TABLES}) AS written
    WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = written.oid AND tgname = 'maskline_gate')
"""  # noqa: S608 - built from constants

_GATED = """
    SELECT tgrelid FROM pg_trigger
    WHERE tgname = 'maskline_gate' AND tgparentid = 0 AND tgfoid = to_regproc('maskline_gate')
"""

DROP_ALL = f"SELECT format('DROP TRIGGER IF EXISTS maskline_gate ON %s', tgrelid::regclass) FROM ({_GATED}) AS gated"  # noqa: S608

DROP_UNUSED = f"""{DROP_ALL}
    WHERE NOT EXISTS (
        SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE indrelid = tgrelid AND indisunique AND indnkeyatts = 1 AND indpred IS NULL AND attname = 'message_id'
    )
"""
"""Drops the gates of the tables that no older job can write to any more."""
