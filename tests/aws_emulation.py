"""KMS, S3, Secrets Manager, IAM and a slow SQS over HTTP (``moto``), bound to loopback, in a process of their own."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

from maskline.pipeline.local.processes import free_port, stop_child
from maskline.pipeline.local.sqs import CREDENTIALS, local_client
from tests.awaiting import await_until

START_SECONDS = 90
STARTS = 3
STOP_SECONDS = 10


class EmulatedAws:
    """AWS's API, which runs while the ``with`` block does. Without `enforcing_permissions` anything is allowed."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> EmulatedAws:
        """Start the server and wait until it answers."""
        for _ in range(STARTS):  # another process may have taken the port before it could
            self._start()
            if self._process.poll() is None:
                return self
        raise AssertionError("moto's server did not start")

    def _start(self) -> None:
        self._port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            await_until(
                lambda: self._process.poll() is not None or self._answers(), "moto's server answers", START_SECONDS
            )
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        stop_child(self._process, STOP_SECONDS)

    @property
    def endpoint(self) -> str:
        """The URL of the API."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a process here, with credentials that may do anything, and to no one else's."""
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL_KMS": self.endpoint,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.endpoint,
            "AWS_CONFIG_FILE": "/nonexistent/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client that may do anything, whatever the environment says.

        Args:
            service: ``kms``, ``s3``, ``secretsmanager``, ``iam`` or ``sqs``.
        """
        if service not in self._clients:
            self._clients[service] = local_client(service, self.endpoint)
        return self._clients[service]

    def create_kms_key(self) -> str:
        """Create a KMS key that encrypts and decrypts, and return its ARN."""
        return str(self.client("kms").create_key()["KeyMetadata"]["Arn"])

    def create_bucket(self) -> str:
        """Create a bucket and return its name."""
        name = f"bucket-{uuid.uuid4().hex}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def create_queue(self, name: str) -> str:
        """Create an SQS queue and return its URL."""
        return str(self.client("sqs").create_queue(QueueName=name)["QueueUrl"])

    def credentials_for(self, *actions: str) -> dict[str, str]:
        """Return the variables of a new user's credentials.

        Args:
            actions: All that the user may do, ``kms:Decrypt`` for example; nothing if there are none.
        """
        iam, name = self.client("iam"), f"user-{uuid.uuid4().hex}"
        iam.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        if actions:
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    @contextlib.contextmanager
    def enforcing_permissions(self) -> Iterator[None]:
        """Let users do only what their policies allow, and strangers nothing, while the block runs."""
        self._post("/moto-api/reset-auth", "0")
        try:
            yield
        finally:
            self._post("/moto-api/reset-auth", "inf")

    def _post(self, path: str, body: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        with contextlib.closing(connection):
            connection.request("POST", path, body, {"Content-Type": "text/plain"})
            assert connection.getresponse().status == 200, path

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/moto-api/data.json")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False
