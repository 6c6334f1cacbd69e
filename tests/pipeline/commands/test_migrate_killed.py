"""``migrate`` killed at any step leaves a database that works, and the next one ends what it began."""

from __future__ import annotations

import functools

import pytest

from maskline.pipeline.cli import main
from maskline.postgres.connection import connect
from maskline.postgres.revision import NEWEST_REVISION
from maskline.postgres.schema import Schema
from tests.maskline.postgres.older_job import write_rows
from tests.maskline.postgres.records import connected, row, rows_of, run, value_of
from tests.maskline.postgres.test_schema_online import CHECKSUM, FILL, LARGE
from tests.maskline.postgres.test_skew import GATED, NOW
from tests.pipeline.commands.killed_command import kill_at

FROM_THE_OWNERS = (
    "0002 app_version begun",
    "0002 app_version copied: a batch",
    "0002 app_version copied",
    "0002 app_version checked",
    "0002 app_version validated",
    "0002 app_version proved",
    "0002 app_version swapped",
    "0003 columns",
    "0003 message_id",
    "0004 rejected_messages",
    "0005 pii_access_log",
    "0006 roles",
    "0007 maskline_remasker",
    "0008 written_in",
    "0008 written_in index",
    "0008 lake_publications",
    "0009 maskline_eraser",
    "0010 ledger",
    "0010 gates",
    "0010 outcomes entered",
    "0011 index gone",
    "0011 gates gone",
    "0012 keys",
    "0012 keys entered",
    "0013 pii_access_log guarded",
    "0013 rejections know their queue",
    "0015 suppressions",
    "0015 eraser",
    "0016 lake_publications prove themselves",
    "0016 lake_restores",
    "0017 keys prove themselves",
)
FROM_AN_OLDER_JOB = ("0010 ledger", "0010 gates", "0010 outcomes entered: a batch", "0010 outcomes entered")
CONTRACT = ("0011 index gone", "0011 gates gone")
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"


def schema(dsn: str) -> Schema:
    """Return the schema of a database."""
    return Schema(functools.partial(connect, dsn))


@pytest.mark.slow
@pytest.mark.parametrize("step", FROM_THE_OWNERS)
def test_killed_at_a_step_from_the_owners_table_and_repeated_it_comes_to_the_end(
    unmigrated_dsn: str, step: str
) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, FILL.format(rows=LARGE))
        run(connection, "ALTER TABLE user_logins ALTER COLUMN app_version SET NOT NULL")
        before = rows_of(connection, CHECKSUM)

        kill_at(f"migrate: {step}", ["migrate", f"--postgres={unmigrated_dsn}"])
        between = rows_of(connection, CHECKSUM)
        again = main(["migrate", f"--postgres={unmigrated_dsn}"])

        assert again == 0
        assert between == before
        assert rows_of(connection, CHECKSUM) == before
        assert schema(unmigrated_dsn).revision() == NEWEST_REVISION
        assert rows_of(connection, INVALID) == []
        assert rows_of(connection, GATED) == [("rejected_messages",)]
        assert value_of(
            connection,
            "SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute"
            " WHERE attrelid = 'user_logins'::regclass AND attnum > 0 AND NOT attisdropped",
        ) == (
            "app_version create_date device_type key_id locale masked_device_id masked_ip message_id processed_at"
            " sent_at user_id written_in"
        )


@pytest.mark.slow
@pytest.mark.parametrize("step", FROM_AN_OLDER_JOB)
def test_killed_at_a_step_under_an_older_job_and_repeated_it_knows_every_outcome(
    unmigrated_dsn: str, step: str
) -> None:
    schema(unmigrated_dsn).migrate("0009")
    with connected(unmigrated_dsn) as connection:
        write_rows(connection, [row(number, sent_at=NOW) for number in range(1000)])

        kill_at(f"migrate: {step}", ["migrate", f"--postgres={unmigrated_dsn}"])
        written = write_rows(connection, [row(number, sent_at=NOW) for number in range(1200)])
        again = main(["migrate", f"--postgres={unmigrated_dsn}"])

        assert again == 0
        assert len(written) == 200
        assert value_of(connection, "SELECT count(*) FROM user_logins") == 1200
        assert value_of(connection, "SELECT count(*) FROM maskline_outcomes") == 1200
        assert schema(unmigrated_dsn).revision() == "0010"


@pytest.mark.slow
@pytest.mark.parametrize("step", CONTRACT)
def test_killed_at_a_step_of_the_contract_no_older_job_can_write_past_the_ledger(
    unmigrated_dsn: str, step: str
) -> None:
    schema(unmigrated_dsn).migrate("0010")
    with connected(unmigrated_dsn) as connection:
        write_rows(connection, [row(number, sent_at=NOW) for number in range(10)])

        kill_at(f"migrate: {step}", ["migrate", f"--postgres={unmigrated_dsn}"])
        with pytest.raises(Exception, match="no unique or exclusion constraint"):
            write_rows(connection, [row(11, sent_at=NOW)])
        again = main(["migrate", f"--postgres={unmigrated_dsn}"])

        assert again == 0
        assert schema(unmigrated_dsn).revision() == NEWEST_REVISION
        assert rows_of(connection, GATED) == [("rejected_messages",)]
