"""A vacuum takes the files, too, that a killed process never finished: they may hold rows of anybody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from maskline.errors import LakeError, LakeUnavailableError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.incomplete_uploads import incomplete_uploads
from maskline.lake.maintenance import vacuum
from maskline.lake.storage import Storage
from maskline.lake.table import LakeTable
from maskline.streams.definition import load_stream
from tests.aws_emulation import EmulatedAws
from tests.e2e.conftest import login
from tests.e2e.job_process import PROJECT
from tests.maskline.lake.copies import lake_table, publish
from tests.maskline.postgres.masked_rows import write_masked

OLD = 1_700_000_000


def test_what_a_killed_publisher_never_finished_goes_once_it_is_old_enough(
    dsn: str, keyset: Keyset, keyset_uri: str, tmp_path: Path
) -> None:
    place = tmp_path / "clear"
    write_masked(dsn, keyset, [login(1)])
    command = [sys.executable, "-m", "tests.maskline.lake.killed_publisher", dsn, keyset_uri, str(place), "wrote"]
    child = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    table = lake_table(place, Copy.CLEARTEXT)
    (unfinished,) = place.rglob("part-*")
    assert unfinished.name.endswith(".parquet#1")
    publish(dsn, table, keyset)

    assert vacuum(table) == [], "its publisher may be at work"
    os.utime(unfinished, (OLD, OLD))
    named = vacuum(table, dry_run=True)
    still_there = unfinished.exists()
    removed = vacuum(table)

    assert named == removed == [str(unfinished.relative_to(place))]
    assert still_there
    assert [str(file.relative_to(place)) for file in place.rglob("part-*")] == [
        file.path for file in table.newest().files()
    ]


def test_an_upload_that_was_never_finished_goes_from_its_copy_and_from_no_other(
    dsn: str, keyset: Keyset, aws: EmulatedAws
) -> None:
    bucket, s3 = aws.create_bucket(), aws.client("s3")
    table = lake_table(f"s3://{bucket}/logins")
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, table)
    for key in ("logins/create_date=2026-01-31/part-1.zstd.parquet", "logins-of-others/part-2.zstd.parquet"):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"rows of anybody")

    removed = vacuum(table)

    assert removed == ["create_date=2026-01-31/part-1.zstd.parquet"]
    left = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [upload["Key"] for upload in left] == ["logins-of-others/part-2.zstd.parquet"]
    assert vacuum(table) == []


def test_credentials_that_may_not_list_uploads_are_told_what_they_lack(aws: EmulatedAws) -> None:
    uri = f"s3://{aws.create_bucket()}/logins"
    LakeTable(Storage(uri), load_stream("user_logins"), Copy.TOKENIZED).newest_or_new()
    credentials = aws.credentials_for("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket")
    session = boto3.session.Session(*credentials.values(), region_name="us-east-1")
    table = LakeTable(Storage(uri, open_session=lambda _: session), load_stream("user_logins"), Copy.TOKENIZED)

    with (
        aws.enforcing_permissions(),
        pytest.raises(LakeError, match=r"allow s3:ListBucketMultipartUploads and s3:Abort"),
    ):
        vacuum(table)


def test_a_store_that_does_not_answer_is_not_available(
    aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, nobodys_port: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{nobodys_port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    with pytest.raises(LakeUnavailableError, match=r"cannot be looked after \(EndpointConnectionError\)"):
        incomplete_uploads(Storage("s3://bucket/logins"))


def test_a_file_that_was_removed_meanwhile_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "part.parquet#12").write_bytes(b"of a publisher that has died")
    (tmp_path / "part.parquet#x").write_bytes(b"of somebody else")

    (unfinished,) = incomplete_uploads(Storage(str(tmp_path)))
    unfinished.remove()
    unfinished.remove()

    assert unfinished.path == "part.parquet#12"
    assert unfinished.since <= datetime.now(UTC)
    assert [file.name for file in tmp_path.iterdir()] == ["part.parquet#x"]
