"""Whoever may read one copy may not, by that, read the other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from deltalake import DeltaTable

from maskline.errors import LakeError, UsageError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.failures import map_lake_errors
from maskline.lake.policies import reader_policy
from maskline.lake.storage import Storage, check_apart
from maskline.lake.table import LakeTable
from maskline.pipeline.cli import main
from maskline.streams.definition import load_stream
from tests.aws_emulation import EmulatedAws
from tests.e2e.conftest import login
from tests.maskline.lake.copies import publish
from tests.maskline.postgres.masked_rows import write_masked

NOBODY = 4711
GROUPS = {Copy.TOKENIZED: "users", Copy.CLEARTEXT: "games"}
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can try what other users may do")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's own are closed to other users."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def may(group: str | None, command: list[str], path: Path) -> bool:
    """Say whether a user who is nobody but in one group succeeds with a command on a file."""
    groups: list[str | int] = [group] if group else []
    result = subprocess.run(
        [*command, str(path)], user=NOBODY, group=NOBODY, extra_groups=groups, capture_output=True, check=False
    )
    return result.returncode == 0


@needs_root
def test_on_a_file_system_each_copy_is_for_its_group_and_for_nobody_else(
    dsn: str, keyset: Keyset, keyset_uri: str, open_directory: Path
) -> None:
    write_masked(dsn, keyset, [login(1)])
    options = [
        option
        for copy, group in GROUPS.items()
        for option in (f"--lake_{copy.value}={open_directory / copy.value}", f"--lake_{copy.value}_group={group}")
    ]

    assert main(["lake", "publish", f"--postgres={dsn}", f"--keyset={keyset_uri}", *options]) == 0

    for copy in Copy:
        other = Copy.TOKENIZED if copy is Copy.CLEARTEXT else Copy.CLEARTEXT
        files = [file for file in (open_directory / copy.value).rglob("*") if file.is_file()]
        assert len(files) > 2
        for file in files:
            assert may(GROUPS[copy], ["cat"], file), file
            assert not may(GROUPS[other], ["cat"], file), file
            assert not may(None, ["cat"], file), file
            assert not may(GROUPS[copy], ["truncate", "-s0"], file), file
            assert not may(GROUPS[copy], ["rm", "-f"], file), file


def test_a_copy_that_others_may_enter_is_not_published_to(dsn: str, tmp_path: Path) -> None:
    place = tmp_path / "opaque copy"
    place.mkdir()
    place.chmod(0o755)

    with pytest.raises(LakeError, match=f"others than its owner and group may enter it; run: chmod o= '{place}'"):
        publish(dsn, LakeTable(Storage(str(place)), load_stream("user_logins"), Copy.TOKENIZED))


def test_two_copies_of_one_group_are_refused(tmp_path: Path) -> None:
    opaque, clear = Storage(str(tmp_path / "opaque")), Storage(str(tmp_path / "clear"))
    opaque.prepare()
    clear.prepare()
    check_apart(opaque, clear)
    clear.path.chmod(0o750)

    with pytest.raises(UsageError, match="belongs to the group of the opaque copy"):
        check_apart(opaque, clear)


class Subscriber:
    """A user of AWS who may do what the printed policy of one copy says."""

    def __init__(self, aws: EmulatedAws, policy: dict[str, Any]) -> None:
        name = f"subscriber-{uuid.uuid4().hex}"
        aws.client("iam").create_user(UserName=name)
        aws.client("iam").put_user_policy(UserName=name, PolicyName="lake", PolicyDocument=json.dumps(policy))
        key = aws.client("iam").create_access_key(UserName=name)["AccessKey"]
        self._session = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")

    def storage(self, uri: str) -> Storage:
        """Return a place as it is reached with the subscriber's credentials."""
        return Storage(uri, open_session=lambda _profile: self._session)

    def may_read(self, uri: str) -> bool:
        """Say whether the subscriber can read a copy."""
        try:
            with map_lake_errors(uri):
                table = DeltaTable(uri, storage_options=self.storage(uri).options())
                return bool(table.to_pyarrow_table().num_rows == 1)
        except LakeError:
            return False


@pytest.mark.parametrize("layout", ["separate buckets", "one bucket"])
def test_in_s3_a_subscriber_of_one_copy_is_refused_the_other(
    dsn: str, keyset: Keyset, aws: EmulatedAws, layout: str
) -> None:
    write_masked(dsn, keyset, [login(1)])
    first = aws.create_bucket()
    second = aws.create_bucket() if layout == "separate buckets" else first
    places = {Copy.TOKENIZED: f"s3://{first}/opaque", Copy.CLEARTEXT: f"s3://{second}/clear"}
    subscribers = {}
    for copy, place in places.items():
        storage = Storage(place)
        publish(dsn, LakeTable(storage, load_stream("user_logins"), copy), keyset if copy is Copy.CLEARTEXT else None)
        subscribers[copy] = Subscriber(aws, reader_policy(storage))

    with aws.enforcing_permissions():
        reads = {copy: [subscribers[copy].may_read(place) for place in places.values()] for copy in Copy}
        with pytest.raises(LakeError, match="may not be read or written"):
            publish(
                dsn,
                LakeTable(
                    subscribers[Copy.TOKENIZED].storage(places[Copy.CLEARTEXT]),
                    load_stream("user_logins"),
                    Copy.CLEARTEXT,
                ),
                keyset,
            )

    assert reads == {Copy.TOKENIZED: [True, False], Copy.CLEARTEXT: [False, True]}


def test_copies_that_share_their_credentials_are_refused(aws: EmulatedAws) -> None:
    with pytest.raises(UsageError, match="the clear copy needs credentials of its own"):
        check_apart(Storage("s3://bucket/opaque"), Storage("s3://bucket/clear"))


def test_files_are_encrypted_with_the_key_of_their_copy(dsn: str, keyset: Keyset, aws: EmulatedAws) -> None:
    write_masked(dsn, keyset, [login(1)])
    bucket, key = aws.create_bucket(), aws.create_kms_key()

    publish(dsn, LakeTable(Storage(f"s3://{bucket}/o", kms_key=key), load_stream("user_logins"), Copy.TOKENIZED))

    objects = aws.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    heads = [aws.client("s3").head_object(Bucket=bucket, Key=found["Key"]) for found in objects]
    assert len(heads) >= 3
    assert {(head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")) for head in heads} == {("aws:kms", key)}
