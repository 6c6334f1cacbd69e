"""The key of an encrypted queue: what KMS says of its use, before a message is received."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from maskline.sqs.encryption import KeyAnswer, ask_about_key, encryption_key
from tests.aws_emulation import EmulatedAws

ARN = "arn:aws:sqs:eu-central-1:123456789012:logins"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/5c3e6a2f-0000-4000-8000-000000000001"


class Kms:
    """A client of KMS that answers one thing."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.region: str | None = None
        self.asked: dict[str, Any] = {}

    def __call__(self, service: str, region: str | None) -> Kms:
        assert service == "kms"
        self.region = region
        return self

    def decrypt(self, **request: Any) -> None:
        self.asked = request
        raise self._error


def answered(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Decrypt")


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (answered("DryRunOperationException"), KeyAnswer.ALLOWED),
        (answered("AccessDeniedException"), KeyAnswer.DENIED),
        (answered("DisabledException"), KeyAnswer.UNUSABLE),
        (answered("KMSInvalidStateException"), KeyAnswer.UNUSABLE),
        (answered("NotFoundException"), KeyAnswer.UNUSABLE),
        (answered("InvalidCiphertextException"), KeyAnswer.UNKNOWN),
        (EndpointConnectionError(endpoint_url="https://kms.eu-central-1.amazonaws.com"), KeyAnswer.UNKNOWN),
    ],
)
def test_only_an_answer_that_says_so_is_a_yes(error: Exception, answer: KeyAnswer) -> None:
    assert ask_about_key(KEY, ARN, Kms(error)) is answer


def test_nothing_is_decrypted_and_the_queue_is_named_as_sqs_does_it() -> None:
    kms = Kms(answered("DryRunOperationException"))

    ask_about_key(KEY, ARN, kms)

    assert kms.region == "eu-central-1"
    assert (kms.asked["KeyId"], kms.asked["DryRun"]) == (KEY, True)
    assert kms.asked["EncryptionContext"] == {"aws:sqs:arn": ARN}


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({}, None),
        ({"SqsManagedSseEnabled": "true"}, None),
        ({"KmsMasterKeyId": "alias/aws/sqs"}, None),
        ({"KmsMasterKeyId": "arn:aws:kms:eu-central-1:123456789012:alias/aws/sqs"}, None),
        ({"KmsMasterKeyId": KEY}, KEY),
        ({"KmsMasterKeyId": "alias/logins"}, "alias/logins"),
    ],
)
def test_only_a_key_of_ones_own_takes_a_permission(attributes: dict[str, str], key: str | None) -> None:
    assert encryption_key(attributes) == key


def test_kms_itself_says_who_may_not_and_which_key_is_off(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    key = aws.create_kms_key()
    queue_arn = f"arn:aws:sqs:us-east-1:123456789012:q-{uuid.uuid4().hex}"
    for name, value in aws.credentials_for("sqs:*").items():
        monkeypatch.setenv(name, value)

    with aws.enforcing_permissions():
        denied = ask_about_key(key, queue_arn)
    monkeypatch.undo()
    gone = ask_about_key(f"{key[:-4]}0000", queue_arn, lambda service, _region: aws.client(service))

    assert (denied, gone) == (KeyAnswer.DENIED, KeyAnswer.UNUSABLE)
