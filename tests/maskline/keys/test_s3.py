"""An encrypted keyset in S3 is read, made and changed there, and never overwritten unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maskline.aws import OpenClient, open_client
from maskline.errors import KeysetError, KeysetUnavailableError
from maskline.keys import StoredKeyset
from maskline.keys.s3 import S3Keyset
from tests.aws_emulation import EmulatedAws

CHANGED_MEANWHILE = "somebody else changed it meanwhile; look at it and try again"
ACCESS_DENIED = "S3 refuses these credentials (AccessDenied); it takes s3:GetObject, and to change it s3:PutObject"


@pytest.fixture
def bucket(aws: EmulatedAws) -> str:
    """A bucket of the test's own."""
    return aws.create_bucket()


@pytest.fixture
def keyset(bucket: str) -> S3Keyset:
    """An object that holds ``{old}``."""
    provider = S3Keyset(f"//{bucket}/logins/keyset.json")
    provider.create(b"{old}")
    return provider


def held(aws: EmulatedAws, bucket: str) -> dict[str, bytes]:
    """Return what a bucket holds, by a client of the test's own."""
    client = aws.client("s3")
    keys = [found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def refusal_of(call: Callable[[], object]) -> str:
    """Return why a call is refused."""
    with pytest.raises(KeysetError) as refusal:
        call()
    return str(refusal.value)


def test_a_keyset_is_kept_under_its_key_and_read_back(aws: EmulatedAws, bucket: str) -> None:
    provider = S3Keyset(f"//{bucket}/logins/keyset.json")

    provider.create(b"{the keyset}")

    assert held(aws, bucket) == {"logins/keyset.json": b"{the keyset}"}
    assert provider.fetch() == StoredKeyset(b"{the keyset}", f"s3://{bucket}/logins/keyset.json")


def test_an_object_that_exists_is_never_overwritten(aws: EmulatedAws, bucket: str, keyset: S3Keyset) -> None:
    why = refusal_of(lambda: keyset.create(b"{another}"))

    assert why == (
        f"keyset {keyset.uri}: exists already and is not overwritten; without it nothing it masked could be recovered"
    )
    assert held(aws, bucket) == {"logins/keyset.json": b"{old}"}


def test_a_new_version_takes_the_old_one_s_place_and_the_old_one_is_kept(
    aws: EmulatedAws, bucket: str, keyset: S3Keyset
) -> None:
    keyset.replace(b"{old}", b"{new}")

    kept_at = keyset.replace(b"{new}", b"{newer}")

    assert kept_at == f"s3://{bucket}/logins/keyset.json.previous"
    assert held(aws, bucket) == {"logins/keyset.json": b"{newer}", "logins/keyset.json.previous": b"{new}"}


def test_an_object_that_somebody_changed_before_is_left_alone(aws: EmulatedAws, bucket: str, keyset: S3Keyset) -> None:
    keyset.replace(b"{old}", b"{theirs}")

    why = refusal_of(lambda: keyset.replace(b"{old}", b"{ours}"))

    assert why == f"keyset {keyset.uri}: {CHANGED_MEANWHILE}"
    assert held(aws, bucket) == {"logins/keyset.json": b"{theirs}", "logins/keyset.json.previous": b"{old}"}


def test_an_object_that_somebody_changes_in_the_very_same_moment_is_left_alone(
    aws: EmulatedAws, bucket: str, keyset: S3Keyset
) -> None:
    def change_it(**event: object) -> None:
        aws.client("s3").put_object(Bucket=bucket, Key="logins/keyset.json", Body=b"{theirs}")

    slow = S3Keyset(f"//{bucket}/logins/keyset.json", _interrupted("before-call.s3.PutObject", change_it))
    why = refusal_of(lambda: slow.replace(b"{old}", b"{ours}"))

    assert why == f"keyset {keyset.uri}: {CHANGED_MEANWHILE}"
    assert held(aws, bucket)["logins/keyset.json"] == b"{theirs}"


def test_an_object_that_somebody_makes_in_the_very_same_moment_is_left_alone(aws: EmulatedAws, bucket: str) -> None:
    def make_it(**event: object) -> None:
        aws.client("s3").put_object(Bucket=bucket, Key="keyset.json", Body=b"{theirs}")

    slow = S3Keyset(f"//{bucket}/keyset.json", _interrupted("before-call.s3.PutObject", make_it))
    why = refusal_of(lambda: slow.create(b"{ours}"))

    assert "exists already and is not overwritten" in why
    assert held(aws, bucket) == {"keyset.json": b"{theirs}"}


def test_a_process_that_dies_in_the_middle_of_a_change_leaves_the_old_version(
    aws: EmulatedAws, bucket: str, keyset: S3Keyset
) -> None:
    def die(**event: object) -> None:
        raise KeyboardInterrupt

    dying = S3Keyset(f"//{bucket}/logins/keyset.json", _interrupted("after-call.s3.PutObject", die))
    with pytest.raises(KeyboardInterrupt):
        dying.replace(b"{old}", b"{new}")

    assert held(aws, bucket) == {"logins/keyset.json": b"{old}", "logins/keyset.json.previous": b"{old}"}


def test_an_object_that_is_not_there_is_an_error_that_names_it(bucket: str) -> None:
    provider = S3Keyset(f"//{bucket}/absent.json")

    absent = refusal_of(provider.fetch)

    assert absent == f"keyset s3://{bucket}/absent.json: is not there (NoSuchKey)"
    assert refusal_of(lambda: provider.replace(b"{old}", b"{new}")) == absent


def test_a_bucket_that_is_not_there_is_told_from_an_object(aws: EmulatedAws) -> None:
    provider = S3Keyset("//no-such-bucket/keyset.json")

    why = refusal_of(provider.fetch)

    assert why == "keyset s3://no-such-bucket/keyset.json: its bucket is not there (NoSuchBucket)"
    assert refusal_of(lambda: provider.create(b"{new}")) == why


def test_a_bucket_whose_name_is_none_is_refused(aws: EmulatedAws) -> None:
    why = refusal_of(S3Keyset("//no such bucket/keyset.json").fetch)

    assert why == "keyset s3://no such bucket/keyset.json: is not a name that S3 takes (ParamValidationError)"


@pytest.mark.parametrize("allowed", [[], ["s3:PutObject"], ["secretsmanager:*", "kms:*"]])
def test_who_may_not_read_the_object_is_told_what_it_takes(
    aws: EmulatedAws, keyset: S3Keyset, monkeypatch: pytest.MonkeyPatch, allowed: list[str]
) -> None:
    _log_in(aws, monkeypatch, *allowed)

    with aws.enforcing_permissions():
        why = refusal_of(keyset.fetch)

    assert why == f"keyset {keyset.uri}: {ACCESS_DENIED}"


def test_who_may_only_read_the_object_changes_nothing(
    aws: EmulatedAws, bucket: str, keyset: S3Keyset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _log_in(aws, monkeypatch, "s3:GetObject")

    with aws.enforcing_permissions():
        assert keyset.fetch().content == b"{old}"
        why = refusal_of(lambda: keyset.replace(b"{old}", b"{new}"))
        also = refusal_of(lambda: S3Keyset(f"//{bucket}/new.json").create(b"{new}"))

    assert why == f"keyset {keyset.uri}: {ACCESS_DENIED}"
    assert also == f"keyset s3://{bucket}/new.json: {ACCESS_DENIED}"
    assert held(aws, bucket) == {"logins/keyset.json": b"{old}"}


def test_the_permissions_that_are_named_are_enough(
    aws: EmulatedAws, bucket: str, keyset: S3Keyset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _log_in(aws, monkeypatch, "s3:GetObject", "s3:PutObject")

    with aws.enforcing_permissions():
        S3Keyset(f"//{bucket}/new.json").create(b"{new}")
        keyset.replace(b"{old}", b"{new}")

    assert held(aws, bucket)["logins/keyset.json"] == held(aws, bucket)["new.json"] == b"{new}"


@pytest.mark.usefixtures("no_credentials")
def test_missing_credentials_are_said_to_be_missing(bucket: str) -> None:
    assert refusal_of(S3Keyset(f"//{bucket}/keyset.json").fetch) == (
        f"keyset s3://{bucket}/keyset.json: no AWS credentials (Unable to locate credentials); set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them"
    )


@pytest.mark.parametrize("call", ["fetch", "create", "replace"])
def test_a_service_that_does_not_answer_is_worth_another_try(no_service: OpenClient, call: str) -> None:
    arguments = {"fetch": (), "create": (b"{new}",), "replace": (b"{old}", b"{new}")}[call]

    with pytest.raises(KeysetUnavailableError) as failure:
        getattr(S3Keyset("//bucket/keyset.json", no_service), call)(*arguments)

    assert str(failure.value) == (
        "keyset s3://bucket/keyset.json: S3 did not answer as it should (EndpointConnectionError); try again"
    )


def _log_in(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, *actions: str) -> None:
    for name, value in aws.credentials_for(*actions).items():
        monkeypatch.setenv(name, value)


def _interrupted(event: str, what: Callable[..., None]) -> OpenClient:
    """Return what makes clients that do something of their own at an event of botocore's."""

    def opened(service: str, region: str | None) -> Any:
        client = open_client(service, region)
        client.meta.events.register(event, what)
        return client

    return opened
