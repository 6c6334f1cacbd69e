"""Keysets in AWS Secrets Manager.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html
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

CURRENT_STAGE = "AWSCURRENT"
PREVIOUS_STAGE = "AWSPREVIOUS"
NEW_STAGE = "MASKLINE_NEW"
_PERMISSIONS = (
    "secretsmanager:GetSecretValue, to make it CreateSecret, and to change it PutSecretValue and "
    "UpdateSecretVersionStage"
)
_CHANGED = "InvalidParameterException"


class SecretsManagerKeyset:
    """A keyset in a secret of AWS Secrets Manager, as text or as bytes.

    A new version is put beside the current one, and then takes its stage from the very version that was read, so of
    two people who change one secret in the same moment one is told so. The version before stays there under the stage
    ``AWSPREVIOUS``.

    Args:
        name: The secret's name or ARN; the ARN names the region, too.
        open_client: Makes the client.

    Raises:
        ArgumentError: The name is empty.
    """

    kms_key = None

    def __init__(self, name: str, open_client: OpenClient = open_client) -> None:
        self._name = name.removeprefix("//")
        if not self._name:
            raise ArgumentError("keyset aws-secretsmanager: give aws-secretsmanager://NAME")
        self.uri = f"aws-secretsmanager://{self._name}"
        self._open_client = open_client

    def fetch(self) -> StoredKeyset:
        """Read the secret."""
        content, _ = self._read()
        return StoredKeyset(content, self.uri)

    def create(self, content: bytes) -> None:
        """Make the secret; `KeysetError` if it is there."""
        try:
            self._client().create_secret(Name=self._name, SecretString=content.decode())
        except (BotoCoreError, ClientError) as error:
            raise self._map_error(error) from None

    def replace(self, expected: bytes, content: bytes) -> str:
        """Give the secret a new version."""
        current, version = self._read()
        if current != expected or not self._move_stage(version, self._put_beside(content)):
            raise KeysetError(f"keyset {self.uri}: {CHANGED_MEANWHILE}")
        return f"the secret's version {PREVIOUS_STAGE}"

    def _read(self) -> tuple[bytes, str]:
        try:
            with WATCHDOG.watching(f"keyset {self.uri}: an answer of Secrets Manager"):
                answer = self._client().get_secret_value(SecretId=self._name, VersionStage=CURRENT_STAGE)
        except (BotoCoreError, ClientError) as error:
            raise self._map_error(error) from None
        content = answer["SecretBinary"] if "SecretBinary" in answer else answer["SecretString"].encode()
        return content, answer["VersionId"]

    def _put_beside(self, content: bytes) -> str:
        try:
            answer = self._client().put_secret_value(
                SecretId=self._name, SecretString=content.decode(), VersionStages=[NEW_STAGE]
            )
        except (BotoCoreError, ClientError) as error:
            raise self._map_error(error) from None
        return str(answer["VersionId"])

    def _move_stage(self, version: str, new_version: str) -> bool:
        """Make a new version the current one, and say whether `version` still was."""
        try:
            self._client().update_secret_version_stage(
                SecretId=self._name,
                VersionStage=CURRENT_STAGE,
                RemoveFromVersionId=version,
                MoveToVersionId=new_version,
            )
        except (BotoCoreError, ClientError) as error:
            if error_code(error) != _CHANGED:
                raise self._map_error(error) from None
            return False
        return True

    def _client(self) -> Any:
        arn = self._name.split(":")
        return self._open_client("secretsmanager", arn[3] if arn[0] == "arn" and len(arn) > 3 else None)

    def _map_error(self, error: AwsError) -> KeysetError | KeysetUnavailableError:
        return map_keyset_error(error, self.uri, service="Secrets Manager", permissions=_PERMISSIONS)
