"""Encrypted keysets in Amazon S3.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from maskline.aws import AwsError, OpenClient, error_code, open_client
from maskline.errors import ArgumentError, KeysetError, KeysetUnavailableError
from maskline.keys.aws_failures import map_keyset_error
from maskline.keys.conflicts import CHANGED_MEANWHILE
from maskline.keys.keyset import StoredKeyset
from maskline.watchdog import WATCHDOG

PREVIOUS = ".previous"
_PERMISSIONS = "s3:GetObject, and to change it s3:PutObject"
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}


class S3Keyset:
    """A keyset in an object of S3.

    New objects and new versions are conditional writes, so of two people who change one keyset in the same moment one
    is told so. The version before stays beside it, under the key with ``.previous`` at its end.

    Args:
        location: ``//BUCKET/KEY``.
        open_client: Makes the client.

    Raises:
        ArgumentError: Bucket or key is missing.
    """

    def __init__(self, location: str, open_client: OpenClient = open_client) -> None:
        self._bucket, _, self._key = location.removeprefix("//").partition("/")
        if not self._bucket or not self._key:
            raise ArgumentError("keyset s3: give s3://BUCKET/KEY")
        self.uri = f"s3://{self._bucket}/{self._key}"
        self._open_client = open_client

    def fetch(self) -> StoredKeyset:
        """Read the object."""
        content, _ = self._read()
        return StoredKeyset(content, self.uri)

    def create(self, content: bytes) -> None:
        """Write the object; `KeysetError` if it is there."""
        try:
            self._put(self._key, content, IfNoneMatch="*")
        except (BotoCoreError, ClientError) as error:
            raise self._map_error(error) from None

    def replace(self, expected: bytes, content: bytes) -> str:
        """Write a new version of the object, and keep the one before under another key."""
        current, entity_tag = self._read()
        previous = self._key + PREVIOUS
        try:
            if current == expected:
                self._put(previous, current)
                self._put(self._key, content, IfMatch=entity_tag)
                return f"s3://{self._bucket}/{previous}"
        except (BotoCoreError, ClientError) as error:
            if error_code(error) not in _CHANGED:
                raise self._map_error(error) from None
        raise KeysetError(f"keyset {self.uri}: {CHANGED_MEANWHILE}")

    def _read(self) -> tuple[bytes, str]:
        try:
            with WATCHDOG.watching(f"keyset {self.uri}: an answer of S3"):
                answer = self._client().get_object(Bucket=self._bucket, Key=self._key)
                return answer["Body"].read(), answer["ETag"]
        except (BotoCoreError, ClientError) as error:
            raise self._map_error(error) from None

    def _put(self, key: str, content: bytes, **condition: str) -> None:
        self._client().put_object(
            Bucket=self._bucket, Key=key, Body=content, ContentType="application/json", **condition
        )

    def _client(self) -> Any:
        return self._open_client("s3", None)

    def _map_error(self, error: AwsError) -> KeysetError | KeysetUnavailableError:
        return map_keyset_error(error, self.uri, service="S3", permissions=_PERMISSIONS)
