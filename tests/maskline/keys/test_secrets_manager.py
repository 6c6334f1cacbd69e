"""A keyset in AWS Secrets Manager is read, made and changed there, and never overwritten unseen."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from maskline.aws import OpenClient, open_client
from maskline.errors import KeysetError, KeysetUnavailableError, UsageError
from maskline.keys import StoredKeyset, keyset_provider, open_keyset
from maskline.keys.secrets_manager import SecretsManagerKeyset
from tests.aws_emulation import EmulatedAws

CHANGED_MEANWHILE = "somebody else changed it meanwhile; look at it and try again"
RIGHTS = (
    "secretsmanager:GetSecretValue, to make it CreateSecret, and to change it PutSecretValue and "
    "UpdateSecretVersionStage"
)


@pytest.fixture
def secret(aws: EmulatedAws) -> SecretsManagerKeyset:
    """A secret that holds ``{old}``."""
    provider = SecretsManagerKeyset(f"maskline/{uuid.uuid4().hex}")
    provider.create(b"{old}")
    return provider


def name_of(provider: SecretsManagerKeyset) -> str:
    """Return the name of a secret."""
    return provider.uri.removeprefix("aws-secretsmanager://")


def held(aws: EmulatedAws, name: str, stage: str = "AWSCURRENT") -> str:
    """Return what Secrets Manager holds under a stage, by a client of the test's own."""
    return str(aws.client("secretsmanager").get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])


def refusal_of(call: Callable[[], object]) -> str:
    """Return why a call is refused."""
    with pytest.raises(KeysetError) as refusal:
        call()
    return str(refusal.value)


def test_a_keyset_is_kept_as_text_and_read_back(aws: EmulatedAws, stored_keyset: StoredKeyset) -> None:
    name = f"maskline/{uuid.uuid4().hex}"
    provider = keyset_provider(f"aws-secretsmanager://{name}")

    provider.create(stored_keyset.content)

    assert held(aws, name) == stored_keyset.content.decode()
    assert provider.fetch() == StoredKeyset(stored_keyset.content, f"aws-secretsmanager://{name}")
    assert open_keyset(provider.fetch()).primary_key_id == open_keyset(stored_keyset).primary_key_id


def test_a_keyset_that_somebody_kept_as_bytes_is_read_too(aws: EmulatedAws) -> None:
    name = uuid.uuid4().hex
    aws.client("secretsmanager").create_secret(Name=name, SecretBinary=b"{the keyset}")

    assert SecretsManagerKeyset(name).fetch().content == b"{the keyset}"


def test_an_arn_names_the_secret_and_its_region(aws: EmulatedAws, no_region: None) -> None:
    name = uuid.uuid4().hex
    arn = aws.client("secretsmanager").create_secret(Name=name, SecretString="{the keyset}")["ARN"]

    stored = keyset_provider(f"aws-secretsmanager://{arn}").fetch()

    assert stored == StoredKeyset(b"{the keyset}", f"aws-secretsmanager://{arn}")


def test_a_secret_that_exists_is_never_overwritten(aws: EmulatedAws, secret: SecretsManagerKeyset) -> None:
    why = refusal_of(lambda: secret.create(b"{another}"))

    assert why == (
        f"keyset {secret.uri}: exists already and is not overwritten; without it nothing it masked could be recovered"
    )
    assert held(aws, name_of(secret)) == "{old}"


def test_a_new_version_takes_the_old_one_s_place_and_the_old_one_is_kept(
    aws: EmulatedAws, secret: SecretsManagerKeyset
) -> None:
    kept_at = secret.replace(b"{old}", b"{new}")
    secret.replace(b"{new}", b"{newer}")

    assert kept_at == "the secret's version AWSPREVIOUS"
    assert secret.fetch().content == b"{newer}"
    assert held(aws, name_of(secret), "AWSPREVIOUS") == "{new}"


def test_a_secret_that_somebody_changed_before_is_left_alone(aws: EmulatedAws, secret: SecretsManagerKeyset) -> None:
    secret.replace(b"{old}", b"{theirs}")

    why = refusal_of(lambda: secret.replace(b"{old}", b"{ours}"))

    assert why == f"keyset {secret.uri}: {CHANGED_MEANWHILE}"
    assert held(aws, name_of(secret)) == "{theirs}"
    assert held(aws, name_of(secret), "AWSPREVIOUS") == "{old}"


def test_a_secret_that_somebody_changes_in_the_very_same_moment_is_left_alone(
    aws: EmulatedAws, secret: SecretsManagerKeyset
) -> None:
    name = name_of(secret)

    def change_it(**event: object) -> None:
        aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString="{theirs}")

    slow = SecretsManagerKeyset(name, _interrupted("before-call.secrets-manager.PutSecretValue", change_it))
    why = refusal_of(lambda: slow.replace(b"{old}", b"{ours}"))

    assert why == f"keyset {secret.uri}: {CHANGED_MEANWHILE}"
    assert held(aws, name) == "{theirs}"
    assert held(aws, name, "AWSPREVIOUS") == "{old}"
    secret.replace(b"{theirs}", b"{ours}")
    assert held(aws, name) == "{ours}"


def test_a_process_that_dies_in_the_middle_of_a_change_leaves_the_old_version(
    aws: EmulatedAws, secret: SecretsManagerKeyset
) -> None:
    def die(**event: object) -> None:
        raise KeyboardInterrupt

    dying = SecretsManagerKeyset(name_of(secret), _interrupted("after-call.secrets-manager.PutSecretValue", die))
    with pytest.raises(KeyboardInterrupt):
        dying.replace(b"{old}", b"{new}")

    assert held(aws, name_of(secret)) == "{old}"
    secret.replace(b"{old}", b"{newer}")
    assert held(aws, name_of(secret)) == "{newer}"


def test_a_secret_that_is_not_there_is_an_error_that_names_it(aws: EmulatedAws) -> None:
    provider = SecretsManagerKeyset("absent")

    assert refusal_of(provider.fetch) == refusal_of(lambda: provider.replace(b"{old}", b"{new}"))
    assert refusal_of(provider.fetch) == (
        "keyset aws-secretsmanager://absent: is not there (ResourceNotFoundException)"
    )


def test_a_secret_that_is_being_deleted_is_not_taken_for_one(aws: EmulatedAws, secret: SecretsManagerKeyset) -> None:
    aws.client("secretsmanager").delete_secret(SecretId=name_of(secret))

    why = refusal_of(secret.fetch)

    assert why == (
        f"keyset {secret.uri}: Secrets Manager does not give it out (InvalidRequestException); "
        "was it deleted, or its key?"
    )


@pytest.mark.parametrize("allowed", [[], ["secretsmanager:PutSecretValue"], ["s3:*", "kms:*"]])
def test_who_may_not_read_the_secret_is_told_what_it_takes(
    aws: EmulatedAws, secret: SecretsManagerKeyset, monkeypatch: pytest.MonkeyPatch, allowed: list[str]
) -> None:
    _log_in(aws, monkeypatch, *allowed)

    with aws.enforcing_permissions():
        why = refusal_of(secret.fetch)

    assert why == f"keyset {secret.uri}: Secrets Manager refuses these credentials (403); it takes {RIGHTS}"


@pytest.mark.parametrize("missing", ["PutSecretValue", "UpdateSecretVersionStage"])
def test_who_may_only_read_the_secret_changes_nothing(
    aws: EmulatedAws, secret: SecretsManagerKeyset, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    rights = {"GetSecretValue", "CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"} - {missing}
    _log_in(aws, monkeypatch, *(f"secretsmanager:{right}" for right in rights))

    with aws.enforcing_permissions():
        assert secret.fetch().content == b"{old}"
        why = refusal_of(lambda: secret.replace(b"{old}", b"{new}"))

    assert why == f"keyset {secret.uri}: Secrets Manager refuses these credentials (403); it takes {RIGHTS}"
    assert held(aws, name_of(secret)) == "{old}"


def test_the_permissions_that_are_named_are_enough(
    aws: EmulatedAws, secret: SecretsManagerKeyset, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights = ("GetSecretValue", "CreateSecret", "PutSecretValue", "UpdateSecretVersionStage")
    _log_in(aws, monkeypatch, *(f"secretsmanager:{right}" for right in rights))

    with aws.enforcing_permissions():
        SecretsManagerKeyset(uuid.uuid4().hex).create(b"{new}")
        secret.replace(b"{old}", b"{new}")

    assert held(aws, name_of(secret)) == "{new}"


@pytest.mark.usefixtures("no_credentials")
def test_missing_credentials_are_said_to_be_missing() -> None:
    assert refusal_of(SecretsManagerKeyset("maskline").fetch) == (
        "keyset aws-secretsmanager://maskline: no AWS credentials (Unable to locate credentials); set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them"
    )


@pytest.mark.usefixtures("no_region")
@pytest.mark.parametrize("call", ["fetch", "create", "replace"])
def test_a_missing_region_is_said_to_be_missing(call: str) -> None:
    arguments = {"fetch": (), "create": (b"{new}",), "replace": (b"{old}", b"{new}")}[call]

    why = refusal_of(lambda: getattr(SecretsManagerKeyset("maskline"), call)(*arguments))

    assert why == "keyset aws-secretsmanager://maskline: no AWS region; set AWS_REGION"


@pytest.mark.parametrize("call", ["fetch", "create", "replace"])
def test_a_service_that_does_not_answer_is_worth_another_try(no_service: OpenClient, call: str) -> None:
    arguments = {"fetch": (), "create": (b"{new}",), "replace": (b"{old}", b"{new}")}[call]

    with pytest.raises(KeysetUnavailableError) as failure:
        getattr(SecretsManagerKeyset("maskline", no_service), call)(*arguments)

    assert str(failure.value) == (
        "keyset aws-secretsmanager://maskline: Secrets Manager did not answer as it should (EndpointConnectionError); "
        "try again"
    )


def test_a_secret_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError) as refusal:
        SecretsManagerKeyset("//")

    assert str(refusal.value) == "keyset aws-secretsmanager: give aws-secretsmanager://NAME"


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
