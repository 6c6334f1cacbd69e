"""The IAM policy of exactly one job: what its role has to be allowed, and nothing else.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html and, of the encryption
contexts that the use of keys is bound to, https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from maskline.aws import partition_of
from maskline.errors import ArgumentError, UsageError
from maskline.keys import KeysetUri
from maskline.keys.kms import KEYSET_PURPOSE, check_key_arn
from maskline.postgres.rds import RdsEndpoint
from maskline.sqs.encryption import customer_managed
from maskline.streams.definition import StreamDefinition

Statement = dict[str, Any]

QUEUE_ACTIONS = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
)
_QUEUE_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sqs:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):(?P<name>[A-Za-z0-9_.-]+)"
)
_KEY_ID = re.compile(r"(mrk-)?[A-Za-z0-9-]{32,36}")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SECRET_WITH_SUFFIX = re.compile(r".*-[A-Za-z0-9]{6}")


class PolicyInputs(msgspec.Struct, frozen=True):
    """What a job's policy is made from.

    Attributes:
        queue_arn: The queue.
        keysets: The keysets that the job opens.
        streams: The streams of its messages.
        region: The region of a secret that is given by its name alone.
        queue_kms_key: The customer managed KMS key that encrypts the queue: its ARN, id or alias, as SQS's attribute
            ``KmsMasterKeyId`` has it, or None.
        payload_buckets: The buckets of the objects that messages point to.
        database: The database, where its logins take tokens of AWS.
        finds_queue: Whether the job is given the queue's name, and has to ask for its URL.
    """

    queue_arn: str
    keysets: Sequence[KeysetUri]
    streams: Sequence[StreamDefinition] = ()
    region: str | None = None
    queue_kms_key: str | None = None
    payload_buckets: Sequence[str] = ()
    database: RdsEndpoint | None = None
    finds_queue: bool = False


def job_policy(inputs: PolicyInputs) -> dict[str, Any]:
    """Return the identity policy of a job's role.

    What a name alone says is taken to be in the account of the queue: secrets, keys by id or alias, databases. Where an
    object or a secret is itself encrypted by a customer managed key, the use of that key has to be allowed, too;
    nothing here says which one that is.

    Args:
        inputs: What it is made from.

    Raises:
        UsageError: The queue's ARN is none; a KMS key is none; or messages point to objects of buckets that are not
            named.
    """
    match = _QUEUE_ARN.fullmatch(inputs.queue_arn)
    if match is None:
        raise UsageError(f"queue: {inputs.queue_arn!r} is not the ARN of a queue of AWS, so there is no policy for it")
    statements = [
        *_for_queue(inputs, match["partition"], match["region"], match["account"]),
        *_for_keysets(inputs, match["partition"], inputs.region or match["region"], match["account"]),
        *_for_payloads(inputs, match["partition"]),
        *_for_database(inputs, match["account"]),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _for_queue(inputs: PolicyInputs, partition: str, region: str, account: str) -> Iterator[Statement]:
    actions = [*QUEUE_ACTIONS, *(["sqs:GetQueueUrl"] if inputs.finds_queue else [])]
    yield _allow("ReceiveAndDelete", actions, inputs.queue_arn)
    key = customer_managed(inputs.queue_kms_key)
    if key is None:
        return
    condition: dict[str, dict[str, str]] = {"StringEquals": {"kms:EncryptionContext:aws:sqs:arn": inputs.queue_arn}}
    keys = f"arn:{partition}:kms:{region}:{account}:key"
    if ":alias/" in key or key.startswith("alias/"):
        # No policy takes an alias for a resource.
        condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": f"alias/{key.partition('alias/')[2]}"}
        resource = f"{':'.join(key.split(':')[:5])}:key/*" if key.startswith("arn:") else f"{keys}/*"
    elif key.startswith("arn:"):
        resource = _checked_key(key)
    elif _KEY_ID.fullmatch(key):
        resource = f"{keys}/{key}"
    else:
        raise UsageError(f"queue_kms_key: {key!r} is neither the ARN, the id nor the alias of a KMS key")
    yield _allow("DecryptTheQueuesMessages", ["kms:Decrypt"], resource, condition)


def _for_keysets(inputs: PolicyInputs, partition: str, region: str, account: str) -> Iterator[Statement]:
    for number, keyset in enumerate(dict.fromkeys(inputs.keysets), start=1):
        suffix = "" if number == 1 else str(number)
        key, _, place = keyset.text.rpartition("?keyset=")
        if key.startswith("aws-kms:") and keyset.kms_key:
            context = {"kms:EncryptionContext:associatedData": KEYSET_PURPOSE.hex()}
            yield _allow(f"DecryptTheKeyset{suffix}", ["kms:Decrypt"], keyset.kms_key, {"StringEquals": context})
        scheme, _, location = place.partition(":")
        location = location.removeprefix("//")
        if scheme == "aws-secretsmanager":
            secret = location
            if not location.startswith("arn:"):
                secret = f"arn:{partition_of(region)}:secretsmanager:{region}:{account}:secret:{location}"
            if secret is not location or not _SECRET_WITH_SUFFIX.fullmatch(location):
                secret += "-??????"  # Secrets Manager ends every ARN by six characters of its own
            yield _allow(f"ReadTheKeyset{suffix}", ["secretsmanager:GetSecretValue"], secret)
        elif scheme == "s3":
            yield _allow(f"ReadTheKeyset{suffix}", ["s3:GetObject"], f"arn:{partition}:s3:::{location}")


def _for_payloads(inputs: PolicyInputs, partition: str) -> Iterator[Statement]:
    pointing = [stream for stream in inputs.streams if stream.fetches_payloads]
    if not pointing:
        return
    for bucket in inputs.payload_buckets:
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(f"payload_bucket: {bucket!r} is not the name of a bucket")
    if not inputs.payload_buckets:
        names = ", ".join(stream.name for stream in pointing)
        raise UsageError(f"payload_bucket: missing; messages of {names} point to objects in S3: name their bucket")
    actions = ["s3:GetObject", *(["s3:DeleteObject"] if any(stream.deletes_payloads for stream in pointing) else [])]
    buckets = [f"arn:{partition}:s3:::{bucket}" for bucket in inputs.payload_buckets]
    yield _allow("OpenWhatMessagesPointTo", actions, [f"{bucket}/*" for bucket in buckets])
    # Without it, S3 says of an object that is gone that access to it is denied.
    yield _allow("TellWhatIsGone", ["s3:ListBucket"], buckets)


def _for_database(inputs: PolicyInputs, account: str) -> Iterator[Statement]:
    if inputs.database is None:
        return
    region = inputs.database.region
    # The resource's id stands where the asterisk is; no host name has it.
    user = f"arn:{partition_of(region)}:rds-db:{region}:{account}:dbuser:*/{inputs.database.user}"
    yield _allow("LogInToTheDatabase", ["rds-db:connect"], user)


def _checked_key(arn: str) -> str:
    try:
        return check_key_arn(arn)
    except ArgumentError:
        raise UsageError("queue_kms_key: give the key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID") from None


def _allow(
    sid: str, actions: Sequence[str], resource: str | Sequence[str], condition: dict[str, Any] | None = None
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})
