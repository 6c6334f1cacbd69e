"""Copies in S3: exactly once there, too, with a store that fails half of its writes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from maskline.errors import LakeError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.table import LakeTable
from tests.aws_emulation import EmulatedAws
from tests.e2e.conftest import login
from tests.faults.s3_proxy import FailingS3
from tests.maskline.lake.copies import lake_table, publish
from tests.maskline.postgres.masked_rows import write_masked


def message_ids(table: LakeTable) -> list[str]:
    """Return the message ids in a copy."""
    delta = DeltaTable(table.uri, storage_options=table.storage.options())
    return sorted(pa.table(delta.to_pyarrow_table(columns=["message_id"])).column(0).to_pylist())


def test_both_copies_can_be_in_s3(dsn: str, keyset: Keyset, aws: EmulatedAws) -> None:
    written = write_masked(dsn, keyset, [login(1), login(2)])
    bucket = aws.create_bucket()
    opaque, clear = lake_table(f"s3://{bucket}/opaque"), lake_table(f"s3://{bucket}/clear", Copy.CLEARTEXT)

    published = [publish(dsn, opaque), publish(dsn, clear, keyset), publish(dsn, opaque), publish(dsn, clear, keyset)]

    assert published == [2, 2, 0, 0]
    assert message_ids(opaque) == message_ids(clear) == sorted(written)


@pytest.mark.slow
def test_a_store_that_fails_half_of_its_writes_misses_nothing_and_doubles_nothing(
    dsn: str, keyset: Keyset, aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = lake_table(f"s3://{aws.create_bucket()}/opaque")
    written: list[str] = []

    with FailingS3(aws.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
        for number in range(4):
            written += write_masked(dsn, keyset, [login(10 * number + place) for place in range(5)])
            publish(dsn, table)
        writes, failed = proxy.counts()

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws.endpoint)
    assert message_ids(table) == sorted(written)
    assert failed * 2 in (writes, writes + 1)
    assert failed > 8


def test_a_bucket_that_is_not_there_is_an_error_of_one_line(dsn: str, aws: EmulatedAws) -> None:
    with pytest.raises(LakeError, match=r"lake s3://no-such-bucket/opaque: may not be read or written") as refused:
        publish(dsn, lake_table("s3://no-such-bucket/opaque"))

    assert "\n" not in str(refused.value)
