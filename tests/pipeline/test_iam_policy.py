"""The policy that `check --print_policy` prints: every right that the job uses, on what it uses it on, and no other.

moto evaluates policies as IAM does. Its servers ask for rights on any resource (``*``) and know no condition of a
request, so which rights the job uses is tried against its API with the resources left out, and whether they are bound
to exactly these resources is asked of its evaluation of policies.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from maskline.errors import SetupError, UsageError
from maskline.keys import KeysetUri
from maskline.keys.keyset import new_keyset_handle
from maskline.keys.keyset_store import store_keyset
from maskline.pipeline.cli import main
from maskline.pipeline.iam_policy import PolicyInputs, job_policy
from maskline.postgres.rds import RdsEndpoint
from maskline.records import Payload, Receipt
from maskline.sqs import QueueAddress, SqsQueue, connections
from maskline.sqs.encryption import KeyAnswer, ask_about_key
from maskline.streams.definition import parse_stream
from maskline.streams.failures import InvalidValueError
from maskline.streams.payloads import S3Payloads
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
    key = f"arn:{partition}:kms:{region}:123456789012:key/5c3e6a2f-0000-4000-8000-000000000001"
    of_job = policy(
        queue_arn=f"arn:{partition}:sqs:{region}:123456789012:logins",
        region=None,
        queue_kms_key="alias/logins",
        keysets=[KeysetUri.parse(uri) for uri in ("aws-secretsmanager://keyset", f"aws-kms://{key}?keyset=s3://k/l")],
        streams=[parse_stream(POINTERS, "large.toml")],
        payload_buckets=["big"],
        database=RdsEndpoint("logins.rds.example", 5432, "writer", region),
    )

    resources = [statement["Resource"] for statement in of_job["Statement"]]
    assert resources == [
        f"arn:{partition}:sqs:{region}:123456789012:logins",
        f"arn:{partition}:kms:{region}:123456789012:key/*",
        f"arn:{partition}:secretsmanager:{region}:123456789012:secret:keyset-??????",
        key,
        f"arn:{partition}:s3:::k/l",
        [f"arn:{partition}:s3:::big/*"],
        [f"arn:{partition}:s3:::big"],
        f"arn:{partition}:rds-db:{region}:123456789012:dbuser:*/writer",
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
    close_all(shared)


def close_all(shared: dict[object, Any]) -> None:
    for client, transport in shared.values():
        client.close()
        transport.close()
    shared.clear()


class DeniedError(Exception):
    """What the job asked AWS for was refused, and the job goes on without it."""


Calls = dict[str, Callable[[], object]]


class Job(msgspec.Struct, frozen=True):
    """A job whose parts are moto's.

    Attributes:
        options: Its options.
        calls: All that it asks AWS for, each by the action that allows it. A refusal raises.
    """

    options: list[str]
    calls: Calls


def job_on(aws: EmulatedAws, attributes: dict[str, str] | None = None, keyset: str = "env:KEYSET") -> Job:
    """Return a job on a queue that is given by its URL, with a message that it has received."""
    name = f"q-{uuid.uuid4().hex}"
    url = aws.client("sqs").create_queue(QueueName=name, Attributes=attributes or {})["QueueUrl"]

    def queue() -> SqsQueue:  # anew, for connections keep the credentials that they were made with
        return SqsQueue.open(QueueAddress(url, aws.endpoint))

    queue().send(["none of anybody's"])
    (message,) = queue().receive(1, 0, 60)
    receipt = Receipt(message.message_id, message.receipt_handle)
    calls: Calls = {
        "sqs:GetQueueAttributes": lambda: queue().attributes(),
        "sqs:ReceiveMessage": lambda: queue().receive(1, 0, 60),
        "sqs:ChangeMessageVisibility": lambda: queue().extend([receipt], 60),
        "sqs:DeleteMessage": lambda: queue().delete([receipt]),
    }
    return Job([f"--queue={url}", f"--queue_endpoint={aws.endpoint}", f"--keyset={keyset}"], calls)


def job_on_a_named_queue(aws: EmulatedAws) -> Job:
    by_url = job_on(aws)
    name = by_url.options[0].rpartition("/")[2]
    options = [f"--queue={name}", *by_url.options[1:]]
    find: Calls = {"sqs:GetQueueUrl": lambda: SqsQueue.open(QueueAddress(name, aws.endpoint))}
    return Job(options, by_url.calls | find)


def job_on_an_encrypted_queue(aws: EmulatedAws) -> Job:
    key = aws.create_kms_key()
    plain = job_on(aws, {"KmsMasterKeyId": key})

    def use_key() -> None:
        if ask_about_key(key, QUEUE.replace("eu-central-1", "us-east-1")) is KeyAnswer.DENIED:
            raise DeniedError

    return Job(plain.options, plain.calls | {"kms:Decrypt": use_key})


def job_on_a_queue_that_gives_up(aws: EmulatedAws) -> Job:
    dead_letters = f"dead-{uuid.uuid4().hex}"
    aws.create_queue(dead_letters)
    target = f"arn:aws:sqs:us-east-1:123456789012:{dead_letters}"
    return job_on(aws, {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 5})})


def job_with_a_keyset(aws: EmulatedAws, uri: str, *actions: str) -> Job:
    keyset = KeysetUri.parse(uri)
    store_keyset(new_keyset_handle(), keyset.provider())
    without = job_on(aws, keyset=uri)
    return Job(without.options, without.calls | dict.fromkeys(actions, keyset.open))


def job_with_a_secret(aws: EmulatedAws) -> Job:
    return job_with_a_keyset(aws, f"aws-secretsmanager://k-{uuid.uuid4().hex}", "secretsmanager:GetSecretValue")


def job_with_a_wrapped_secret(aws: EmulatedAws) -> Job:
    uri = f"aws-kms://{aws.create_kms_key()}?keyset=aws-secretsmanager://k-{uuid.uuid4().hex}"
    return job_with_a_keyset(aws, uri, "kms:Decrypt", "secretsmanager:GetSecretValue")


def job_with_a_wrapped_object(aws: EmulatedAws) -> Job:
    uri = f"aws-kms://{aws.create_kms_key()}?keyset=s3://{aws.create_bucket()}/keyset.json"
    return job_with_a_keyset(aws, uri, "kms:Decrypt", "s3:GetObject")


def job_whose_messages_point_to_objects(aws: EmulatedAws, directory: Path) -> Job:
    bucket, file = aws.create_bucket(), directory / "large.toml"
    file.write_text(POINTERS)
    aws.client("s3").put_object(Bucket=bucket, Key="0f1a", Body=b"large")
    payload = Payload(bucket, "0f1a")
    plain = job_on(aws)

    def delete() -> None:
        if S3Payloads().delete([payload]):
            raise DeniedError

    calls: Calls = {"s3:GetObject": lambda: S3Payloads().fetch(payload, 100), "s3:DeleteObject": delete}
    return Job([*plain.options, f"--stream={file}", f"--payload_bucket={bucket}"], plain.calls | calls)


OF_EVERY_JOB = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
JOBS: list[tuple[Callable[..., Job], list[str]]] = [
    (job_on, []),
    (job_on_a_named_queue, ["sqs:GetQueueUrl"]),
    (job_on_an_encrypted_queue, ["kms:Decrypt"]),
    (job_on_a_queue_that_gives_up, []),
    (job_with_a_secret, ["secretsmanager:GetSecretValue"]),
    (job_with_a_wrapped_secret, ["kms:Decrypt", "secretsmanager:GetSecretValue"]),
    (job_with_a_wrapped_object, ["kms:Decrypt", "s3:GetObject"]),
    (job_whose_messages_point_to_objects, ["s3:DeleteObject", "s3:GetObject"]),
]
"""Every kind of job, and what it is allowed beside what each is."""

ANSWERED_OTHERWISE = {"s3:ListBucket"}
"""Without it S3 says of an object that is gone that access to it is denied; moto says that it is gone all the same."""

BATCHES = {
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}
"""What moto calls actions that AWS takes for both."""


def is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except (DeniedError, SetupError, InvalidValueError):
        return True
    return False


@pytest.mark.parametrize(
    ("make", "of_its_own", "left_out"),
    [
        pytest.param(make, of_its_own, left_out, id=f"{make.__name__}-{left_out}")
        for make, of_its_own in JOBS
        for left_out in [None, *(of_its_own or OF_EVERY_JOB)]
    ],
)
def test_each_action_that_is_printed_allows_a_call_of_the_job_and_there_is_no_other(
    make: Callable[..., Job],
    of_its_own: list[str],
    left_out: str | None,
    aws: EmulatedAws,
    tmp_path: Path,
    own_connections: dict[object, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = make(aws, tmp_path) if make is job_whose_messages_point_to_objects else make(aws)
    assert main(["check", "--print_policy", *job.options]) == 0
    statements = json.loads(capsys.readouterr().out)["Statement"]
    actions = {action for statement in statements for action in statement["Action"]} - ANSWERED_OTHERWISE
    assert sorted(actions) == sorted([*OF_EVERY_JOB, *of_its_own])
    user = aws.credentials_for(*(BATCHES.get(action, action) for action in actions if action != left_out))
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    close_all(own_connections)

    with aws.enforcing_permissions():
        refused = {action for action, call in job.calls.items() if is_refused(call)}

    assert refused == {action for action in actions if left_out and job.calls[action] == job.calls[left_out]}


def test_what_a_queue_does_not_say_by_its_url_is_asked(aws: EmulatedAws, capsys: pytest.CaptureFixture[str]) -> None:
    name, key = f"q-{uuid.uuid4().hex}", aws.create_kms_key()
    aws.client("sqs").create_queue(QueueName=name, Attributes={"KmsMasterKeyId": key})

    exit_code = main(
        ["check", "--print_policy", f"--queue={name}", f"--queue_endpoint={aws.endpoint}", "--keyset=env:KEYSET"]
    )

    printed = capsys.readouterr()
    assert (exit_code, printed.err) == (0, "")
    of_queue, of_key = json.loads(printed.out)["Statement"]
    assert of_queue["Resource"] == f"arn:aws:sqs:us-east-1:123456789012:{name}"
    assert "sqs:GetQueueUrl" in of_queue["Action"]
    assert of_key["Resource"] == key
