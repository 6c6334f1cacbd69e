"""The ledger alone: no index that grows for ever, and no gate where no older job can write.

After this a job of a version before the ledger stops with one line at its next micro-batch, and nothing is lost. The
index goes first: a gate that went before it would let such a job write what no ledger knows.

Revision ID: 0011
Revises: 0010
"""

from maskline.postgres.migrations import gates, indexes, steps

revision = "0011"
down_revision = "0010"

_DROP_INDEX = """
    SELECT format('DROP INDEX CONCURRENTLY IF EXISTS %s', indexrelid::regclass)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE indrelid = to_regclass('user_logins') AND relname = 'user_logins_message_id'
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


def upgrade() -> None:
    """Drop the unique index on the message ids of ``user_logins``, and the gates that nobody needs any more."""
    steps.alone("0011 index gone", _DROP_INDEX)
    steps.each("0011 gates gone", gates.DROP_UNUSED)


def downgrade() -> None:
    """Bring back the gates, which enter what an older job writes, and the index, without which it writes nothing."""
    steps.each("0011 gates", gates.CREATE)
    indexes.create_unique_index("0011 message_id", "message_id")
