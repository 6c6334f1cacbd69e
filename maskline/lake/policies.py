"""The least that a subscriber of one copy has to be allowed, as AWS policies.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html and
https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""

from __future__ import annotations

import re
from typing import Any

from maskline.errors import ArgumentError
from maskline.lake.storage import Storage

_ARN = re.compile(r"arn:aws[a-z-]*:(iam|sts)::\d{12}:(role|user|root|assumed-role)(/[\w+=,.@/-]+)?")

Statement = dict[str, Any]


def bucket_policy(storage: Storage, reader: str) -> dict[str, Any]:
    """Return what to add to the policy of a copy's bucket for a reader: to list and read that copy, over TLS alone.

    Args:
        storage: Where the copy is.
        reader: The ARN of the reader's role or user.

    Raises:
        ArgumentError: `reader` is no ARN of a role or user, or the copy is not in S3.
    """
    _check(storage, reader)
    bucket, prefix = storage.bucket_and_prefix
    objects = f"arn:aws:s3:::{bucket}/{prefix}/*" if prefix else f"arn:aws:s3:::{bucket}/*"
    listing: Statement = {
        "Sid": "ListTheCopy",
        "Effect": "Allow",
        "Principal": {"AWS": reader},
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
    }
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}}
    reading: Statement = {
        "Sid": "ReadTheCopy",
        "Effect": "Allow",
        "Principal": {"AWS": reader},
        "Action": "s3:GetObject",
        "Resource": objects,
    }
    over_tls: Statement = {
        "Sid": "NothingInClearOnTheWire",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", objects],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return _policy(listing, reading, over_tls)


def key_policy(storage: Storage, reader: str) -> dict[str, Any]:
    """Return what to add to the policy of a copy's KMS key for a reader: to decrypt what S3 encrypted, and only by S3.

    Args:
        storage: Where the copy is, and its key.
        reader: The ARN of the reader's role or user.

    Raises:
        ArgumentError: `reader` is no ARN of a role or user, or the copy has no KMS key of its own.
    """
    _check(storage, reader)
    if not storage.kms_key:
        raise ArgumentError(f"lake {storage.uri}: kms_key: missing; a KMS key of its own encrypts it")
    region = storage.kms_key.split(":")[3]
    decrypting: Statement = {
        "Sid": "DecryptTheCopyThroughS3",
        "Effect": "Allow",
        "Principal": {"AWS": reader},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}},
    }
    return _policy(decrypting)


def reader_policy(storage: Storage) -> dict[str, Any]:
    """Return the identity policy of a reader in the same account, in place of the two above.

    Args:
        storage: Where the copy is, and its key.

    Raises:
        ArgumentError: The copy is not in S3.
    """
    statements = [
        {name: value for name, value in statement.items() if name != "Principal"}
        for statement in bucket_policy(storage, "arn:aws:iam::000000000000:root")["Statement"]
        if statement["Effect"] == "Allow"
    ]
    if storage.kms_key:
        statements.append(
            {"Sid": "DecryptTheCopy", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": storage.kms_key}
        )
    return _policy(*statements)


def _check(storage: Storage, reader: str) -> None:
    if not storage.is_on_s3:
        raise ArgumentError(f"lake {storage.uri}: policies are for copies in S3; here owner, group and mode decide")
    if not _ARN.fullmatch(reader):
        raise ArgumentError("reader: give the ARN of a role or a user, arn:aws:iam::123456789012:role/counting say")


def _policy(*statements: Statement) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
