"""What a job of version 0.1.0 runs: its statements as they were, before there was a ledger."""

from __future__ import annotations

from collections.abc import Sequence

from maskline.postgres.connection import Connection
from maskline.records import MaskedRow, Rejection
from tests.maskline.postgres.records import rows_of

INSERT_ROWS = (
    "SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '30s';"
    " SELECT pg_advisory_xact_lock_shared(7881707728092622437);"
    ' INSERT INTO "user_logins" ("user_id", "device_type", "masked_ip", "masked_device_id", "locale", "app_version",'
    ' "create_date", "message_id", "sent_at", "key_id") SELECT "user_id", "device_type", "masked_ip",'
    ' "masked_device_id", "locale", "app_version", "create_date", "message_id", "sent_at", "key_id"'
    " FROM unnest(%s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[],"
    ' %s::date[], %s::uuid[], %s::timestamptz[], %s::bigint[]) AS batch ("user_id", "device_type", "masked_ip",'
    ' "masked_device_id", "locale", "app_version", "create_date", "message_id", "sent_at", "key_id")'
    ' WHERE NOT EXISTS (SELECT 1 FROM "rejected_messages" AS other WHERE other.message_id = batch.message_id)'
    " ON CONFLICT (message_id) DO NOTHING RETURNING message_id"
)
INSERT_REJECTIONS = (
    "SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '30s';"
    " SELECT pg_advisory_xact_lock(7881707728092622437);"
    ' INSERT INTO "rejected_messages" ("message_id", "stream", "reason", "detail", "sent_at", "receive_count",'
    ' "key_id", "body") SELECT "message_id", "stream", "reason", "detail", "sent_at", "receive_count", "key_id", "body"'
    " FROM unnest(%s::uuid[], %s::varchar[], %s::varchar[], %s::text[], %s::timestamptz[], %s::integer[],"
    ' %s::bigint[], %s::bytea[]) AS batch ("message_id", "stream", "reason", "detail", "sent_at", "receive_count",'
    ' "key_id", "body") WHERE NOT EXISTS (SELECT 1 FROM "user_logins" AS other'
    " WHERE other.message_id = batch.message_id) ON CONFLICT (message_id) DO NOTHING RETURNING message_id"
)


def write_rows(connection: Connection, rows: Sequence[MaskedRow], *, statement_timeout: str = "30s") -> set[str]:
    """Write rows as the older job did, and return the message ids that it counts as written."""
    columns = [list(column) for column in zip(*(row.values for row in rows), strict=True)]
    job_columns = [
        [row.sent_at.date() for row in rows],
        [row.receipt.message_id for row in rows],
        [row.sent_at for row in rows],
        [row.key_id for row in rows],
    ]
    query = INSERT_ROWS.replace("30s", statement_timeout)
    return {message_id for (message_id,) in rows_of(connection, query, [*columns, *job_columns])}


def write_rejections(connection: Connection, rejections: Sequence[Rejection]) -> set[str]:
    """Write rejections as the older job did, and return the message ids that it counts as written."""
    columns: list[list[object]] = [
        [rejection.receipt.message_id for rejection in rejections],
        [rejection.stream for rejection in rejections],
        [str(rejection.reason) for rejection in rejections],
        [rejection.detail for rejection in rejections],
        [rejection.sent_at for rejection in rejections],
        [rejection.receive_count for rejection in rejections],
        [rejection.key_id for rejection in rejections],
        [rejection.sealed_body for rejection in rejections],
    ]
    return {message_id for (message_id,) in rows_of(connection, INSERT_REJECTIONS, columns)}
