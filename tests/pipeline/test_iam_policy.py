"""The policy that `check --print_policy` prints: every right that the job uses, on what it uses it on, and no other.

moto evaluates policies as IAM does. Its servers ask for rights on any resource (``*``) and know no condition of a
request, so which rights the job uses is tried against its API with the resources left out, and whether they are bound
to exactly these resources is asked of its evaluation of policies.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from maskline.errors import SetupError, UsageError
from maskline.keys import KeysetUri
from maskline.keys.keyset import new_keyset_handle
from maskline.keys.keyset_store import store_keyset
from maskline.pipeline.cli import main
from maskline.pipeline.iam_policy import PolicyInputs, job_policy
from maskline.postgres.rds import RdsEndpoint
from maskline.sqs import QueueAddress, SqsQueue, connections
from maskline.streams.definition import parse_stream
from tests.aws_emulation import EmulatedAws

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:logins"
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/logins"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/5c3e6a2f-0000-4000-8000-000000000001"
OTHER_KEY = "arn:aws:kms:eu-central-1:123456789012:key/5c3e6a2f-0000-4000-8000-000000000002"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:team/keyset-a1B2c3"
OF_KEYSET = {"kms:EncryptionContext:associatedData": "6d61736b6c696e652e6b6579736574"}
OF_QUEUE = {"kms:EncryptionContext:aws:sqs:arn": QUEUE}


def policy(keyset: str = f"aws-kms://{KEY}?keyset=aws-secretsmanager://team/keyset", **inputs: Any) -> dict[str, Any]:
    return job_policy(
        PolicyInputs(**{"queue_arn": QUEUE, "keysets": [KeysetUri.parse(keyset)], "region": "eu-central-1", **inputs})
    )


def is_allowed(policy: dict[str, Any], action: str, resource: str, context: dict[str, str] | None = None) -> bool:
    # moto takes a pattern for a regular expression, where IAM's ? is what its . is.
    text = json.dumps(policy).replace("?", ".")
    return IAMPolicy(text).is_action_permitted(action, resource, None, context) is PermissionResult.PERMITTED


USED = [
    ("sqs:ReceiveMessage", QUEUE, None),
    ("sqs:DeleteMessage", QUEUE, None),
    ("sqs:ChangeMessageVisibility", QUEUE, None),
    ("sqs:GetQueueAttributes", QUEUE, None),
    ("kms:Decrypt", KEY, OF_KEYSET),
    ("secretsmanager:GetSecretValue", SECRET, None),
]
NOT_USED = [
    ("sqs:GetQueueUrl", QUEUE, None),
    ("sqs:SendMessage", QUEUE, None),
    ("sqs:PurgeQueue", QUEUE, None),
    ("sqs:DeleteQueue", QUEUE, None),
    ("sqs:SetQueueAttributes", QUEUE, None),
    ("sqs:ReceiveMessage", f"{QUEUE}-other", None),
    ("sqs:ReceiveMessage", QUEUE.replace("eu-central-1", "eu-west-1"), None),
    ("sqs:ReceiveMessage", QUEUE.replace("123456789012", "210987654321"), None),
    ("kms:Decrypt", KEY, {"kms:EncryptionContext:associatedData": "00"}),
    ("kms:Decrypt", OTHER_KEY, OF_KEYSET),
    ("kms:Encrypt", KEY, OF_KEYSET),
    ("secretsmanager:GetSecretValue", SECRET.replace("keyset", "other"), None),
    ("secretsmanager:GetSecretValue", SECRET.replace("keyset", "keyset-of-another"), None),
    ("secretsmanager:PutSecretValue", SECRET, None),
    ("s3:GetObject", "arn:aws:s3:::bucket/key", None),
]


@pytest.mark.parametrize(("action", "resource", "context"), USED)
def test_what_the_job_uses_is_allowed_on_what_it_uses(
    action: str, resource: str, context: dict[str, str] | None
) -> None:
    assert is_allowed(policy(), action, resource, context)


@pytest.mark.parametrize(("action", "resource", "context"), NOT_USED)
def test_nothing_else_is_allowed(action: str, resource: str, context: dict[str, str] | None) -> None:
    assert not is_allowed(policy(), action, resource, context)


def test_the_key_of_the_queue_decrypts_that_queue_and_no_other() -> None:
    of_job = policy(keyset="env:KEYSET", queue_kms_key=OTHER_KEY)

    assert is_allowed(of_job, "kms:Decrypt", OTHER_KEY, OF_QUEUE)
    assert not is_allowed(of_job, "kms:Decrypt", OTHER_KEY, {"kms:EncryptionContext:aws:sqs:arn": f"{QUEUE}-other"})
    assert not is_allowed(of_job, "kms:Decrypt", KEY, OF_QUEUE)
    assert not is_allowed(of_job, "kms:GenerateDataKey", OTHER_KEY, OF_QUEUE)


@pytest.mark.parametrize(
    ("key", "resource", "condition"),
    [
        (KEY.rpartition("/")[2], KEY, {}),
        ("alias/logins", "arn:aws:kms:eu-central-1:123456789012:key/*", {"kms:ResourceAliases": "alias/logins"}),
        (
            "arn:aws:kms:eu-central-1:210987654321:alias/logins",
            "arn:aws:kms:eu-central-1:210987654321:key/*",
            {"kms:ResourceAliases": "alias/logins"},
        ),
    ],
)
def test_a_key_of_the_queue_may_be_named_as_sqs_names_it(key: str, resource: str, condition: dict[str, str]) -> None:
    (statement,) = (
        each for each in policy(queue_kms_key=key)["Statement"] if each["Sid"] == "DecryptTheQueuesMessages"
    )

    assert statement["Resource"] == resource
    assert statement["Condition"]["StringEquals"] == OF_QUEUE
    assert statement["Condition"].get("ForAnyValue:StringEquals", {}) == condition


def test_the_key_that_is_awss_own_takes_no_right() -> None:
    assert policy(queue_kms_key="alias/aws/sqs") == policy()


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"])
def test_every_resource_is_of_the_partition_of_the_queue(region: str) -> None:
    partition = {"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso"}.get(
        region, "aws-eusc"
    )
    of_job = policy(
        keyset="aws-secretsmanager://keyset",
        queue_arn=f"arn:{partition}:sqs:{region}:123456789012:logins",
        region=None,
        queue_kms_key="alias/logins",
    )

    resources = [statement["Resource"] for statement in of_job["Statement"]]
    assert resources == [
        f"arn:{partition}:sqs:{region}:123456789012:logins",
        f"arn:{partition}:kms:{region}:123456789012:key/*",
        f"arn:{partition}:secretsmanager:{region}:123456789012:secret:keyset-??????",
    ]


@pytest.mark.parametrize(
    ("keyset", "resource"),
    [
        (f"aws-secretsmanager://{SECRET}", SECRET),
        (f"aws-secretsmanager://{SECRET[:-7]}", f"{SECRET[:-7]}-??????"),
        (f"aws-kms://{KEY}?keyset=s3://bucket/team/keyset.json", "arn:aws:s3:::bucket/team/keyset.json"),
    ],
)
def test_a_keyset_is_read_where_it_is_kept(keyset: str, resource: str) -> None:
    (statement,) = (each for each in policy(keyset)["Statement"] if each["Sid"] == "ReadTheKeyset")

    assert statement["Resource"] == resource


@pytest.mark.parametrize("keyset", ["file:/keyset.json", "env:KEYSET"])
def test_a_keyset_that_is_not_kept_by_aws_takes_no_right(keyset: str) -> None:
    assert [statement["Sid"] for statement in policy(keyset)["Statement"]] == ["ReceiveAndDelete"]


def test_both_keysets_are_opened() -> None:
    keysets = [KeysetUri.parse(f"aws-kms://{key}?keyset=file:/k.json") for key in (KEY, OTHER_KEY)]

    of_job = policy(keysets=keysets)

    assert is_allowed(of_job, "kms:Decrypt", KEY, OF_KEYSET)
    assert is_allowed(of_job, "kms:Decrypt", OTHER_KEY, OF_KEYSET)
    assert len({statement["Sid"] for statement in of_job["Statement"]}) == 3


POINTERS = """
name = "large"
table = "large"
[message]
envelope = ["s3-pointer"]
delete_payload = true
[columns.id]
field = "id"
type = "bigint"
"""


def test_objects_that_messages_point_to_are_opened_in_the_buckets_that_are_named() -> None:
    stream = parse_stream(POINTERS, "large.toml")

    of_job = policy(streams=[stream], payload_buckets=["big"])

    assert is_allowed(of_job, "s3:GetObject", "arn:aws:s3:::big/0f1a")
    assert is_allowed(of_job, "s3:DeleteObject", "arn:aws:s3:::big/0f1a")
    assert is_allowed(of_job, "s3:ListBucket", "arn:aws:s3:::big")
    assert not is_allowed(of_job, "s3:GetObject", "arn:aws:s3:::small/0f1a")
    assert not is_allowed(of_job, "s3:PutObject", "arn:aws:s3:::big/0f1a")
    without = POINTERS.replace("delete_payload = true", "")
    kept = policy(streams=[parse_stream(without, "large.toml")], payload_buckets=["big"])
    assert not is_allowed(kept, "s3:DeleteObject", "arn:aws:s3:::big/0f1a")


def test_a_database_that_takes_tokens_of_aws_is_logged_in_to_by_that_user() -> None:
    endpoint = RdsEndpoint("logins.c9akciq32rgw.eu-central-1.rds.amazonaws.com", 5432, "writer", "eu-central-1")

    of_job = policy(database=endpoint)

    users = "arn:aws:rds-db:eu-central-1:123456789012:dbuser:db-ABCDEFGHIJKL01234/"
    assert is_allowed(of_job, "rds-db:connect", f"{users}writer")
    assert not is_allowed(of_job, "rds-db:connect", f"{users}postgres")
    assert not is_allowed(policy(), "rds-db:connect", f"{users}writer")


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"streams": [parse_stream(POINTERS, "large.toml")]}, "payload_bucket: missing; messages of large point to"),
        (
            {"streams": [parse_stream(POINTERS, "large.toml")], "payload_buckets": ["*"]},
            "payload_bucket: '\\*' is not the name of a bucket",
        ),
        ({"queue_kms_key": "*"}, "queue_kms_key: '\\*' is neither the ARN, the id nor the alias of a KMS key"),
        ({"queue_arn": ""}, "queue: '' is not the ARN of a queue of AWS"),
    ],
)
def test_what_would_make_it_too_wide_or_too_narrow_is_refused(inputs: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        policy(**inputs)


def test_url_and_options_say_all_that_it_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(SqsQueue, "open", fail)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    exit_code = main(["check", "--print_policy", f"--queue={URL}", f"--keyset=aws-kms://{KEY}?keyset=file:/k.json"])

    printed = capsys.readouterr()
    assert exit_code == 0
    assert json.loads(printed.out) == policy(keyset=f"aws-kms://{KEY}?keyset=file:/k.json")
    assert printed.err == (
        "maskline: where a KMS key of your own encrypts the queue (SSE-KMS), name it by --queue_kms_key\n"
    )


@pytest.fixture
def own_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[object, Any]]:
    """Connections of the test's own, for those of a process keep the credentials that they were made with."""
    shared: dict[object, Any] = {}
    monkeypatch.setattr(connections, "_shared", shared)
    yield shared
    for client, transport in shared.values():
        client.close()
        transport.close()


@pytest.fixture
def job(aws: EmulatedAws) -> list[str]:
    """The options of a job whose queue, key and secret are moto's, its queue given by name."""
    name, secret = f"q-{uuid.uuid4().hex}", f"keyset-{uuid.uuid4().hex}"
    key = aws.create_kms_key()
    aws.client("sqs").create_queue(QueueName=name, Attributes={"KmsMasterKeyId": key})
    uri = f"aws-kms://{key}?keyset=aws-secretsmanager://{secret}"
    store_keyset(new_keyset_handle(), KeysetUri.parse(uri).provider())
    return [f"--queue={name}", f"--queue_endpoint={aws.endpoint}", f"--keyset={uri}"]


def use_every_right(job: list[str]) -> None:
    """Do all that the job asks AWS for."""
    name, endpoint, uri = (option.partition("=")[2] for option in job)
    KeysetUri.parse(uri).open()
    queue = SqsQueue.open(QueueAddress(name, endpoint))
    queue.attributes()
    queue.try_permissions()
    queue.receive(1, 0, 60)


BATCHES = {
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}
"""What moto calls rights that AWS takes for both."""

EVERY_ACTION = [
    "kms:Decrypt",
    "secretsmanager:GetSecretValue",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
]


@pytest.mark.parametrize("left_out", [None, *EVERY_ACTION])
def test_the_job_takes_each_of_these_rights_and_no_other(
    left_out: str | None,
    job: list[str],
    aws: EmulatedAws,
    own_connections: dict[object, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main(["check", "--print_policy", *job])
    own_connections.clear()
    statements = json.loads(capsys.readouterr().out)["Statement"]
    actions = sorted({action for statement in statements for action in statement["Action"]})
    assert actions == EVERY_ACTION
    user = aws.credentials_for(*(BATCHES.get(action, action) for action in actions if action != left_out))
    for name, value in user.items():
        monkeypatch.setenv(name, value)

    with aws.enforcing_permissions():
        if left_out is None:
            use_every_right(job)
        else:
            with pytest.raises(SetupError):
                use_every_right(job)


def test_what_a_queue_does_not_say_by_its_url_is_asked(job: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["check", "--print_policy", *job])

    printed = capsys.readouterr()
    assert (exit_code, printed.err) == (0, "")
    name = job[0].removeprefix("--queue=")
    of_queue, of_key, *_ = json.loads(printed.out)["Statement"]
    assert of_queue["Resource"] == f"arn:aws:sqs:us-east-1:123456789012:{name}"
    assert "sqs:GetQueueUrl" in of_queue["Action"]
    assert of_key["Resource"] in job[2]
