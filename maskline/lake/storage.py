"""Where a copy is kept, and with which credentials it is read and written.

A copy in S3 is reached with the credentials of an AWS profile, looked up anew whenever the table is opened, so that
those which expire are refreshed. A copy on a file system belongs to its directory's owner and group.

Source: https://delta-io.github.io/delta-rs/usage/writing/writing-to-s3-with-locking-provider/
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.exceptions import BotoCoreError

from maskline.aws import setup_problem
from maskline.errors import ArgumentError, LakeError

OpenSession = Callable[[str | None], Any]
"""Makes a boto3 session of a profile, or of the environment if None."""

SCHEMES = ("file", "s3")
_PLAIN_S3 = re.compile(r"s3://[A-Za-z0-9._-]+(/(?!\.{1,2}(/|$))[^/%?#\\\s]+)*/?")
_LIKE_S3 = re.compile(r"s3:")
OTHERS = 0o007


class Storage:
    """The place of one copy.

    Args:
        uri: ``s3://BUCKET/PREFIX``, ``file:///PATH`` or a path.
        profile: The AWS profile whose credentials are used, or None for those of the environment.
        kms_key: The ARN of the KMS key that S3 encrypts new files with, or None for the bucket's own setting.
        group: The group that may read a copy on a file system, or None for its owner alone.
        open_session: Makes a boto3 session.

    Raises:
        ArgumentError: The URI names no such place, or an option belongs to the other kind of place.
    """

    def __init__(
        self,
        uri: str,
        *,
        profile: str | None = None,
        kms_key: str | None = None,
        group: str | None = None,
        open_session: OpenSession = lambda profile: boto3.session.Session(profile_name=profile),
    ) -> None:
        scheme = uri.partition("://")[0] if "://" in uri else "file"
        if scheme not in SCHEMES or not uri.removeprefix("file://").removeprefix("s3://").strip("/"):
            raise ArgumentError(f"lake {uri!r}: give s3://BUCKET/PREFIX, file:///PATH or a path")
        self.is_on_s3 = scheme == "s3"
        if self.is_on_s3 and not _PLAIN_S3.fullmatch(uri):
            # What becomes of any of these, deltalake and boto3 do not see alike.
            raise ArgumentError(f"lake {uri!r}: write it without //, a step like . or .., %, ? and #")
        if not self.is_on_s3 and _path(uri).is_file():
            raise ArgumentError(f"lake {uri!r}: is a file; give the directory of a copy")
        if not self.is_on_s3 and _LIKE_S3.match(uri):
            raise ArgumentError(f"lake {uri!r}: give s3://BUCKET/PREFIX, with two slashes, or ./{uri} for a directory")
        self.uri = uri.rstrip("/") if self.is_on_s3 else f"file://{_path(uri).absolute()}"
        self.profile = profile
        self.kms_key = kms_key
        self._group = group
        self._open_session = open_session
        for option, value, fits in (
            ("profile", profile, self.is_on_s3),
            ("kms_key", kms_key, self.is_on_s3),
            ("group", group, not self.is_on_s3),
        ):
            if value and not fits:
                raise ArgumentError(f"lake {uri}: a {option} is not for a place of this kind")

    @property
    def path(self) -> Path:
        """The directory of a copy on a file system."""
        return _path(self.uri)

    @property
    def bucket_and_prefix(self) -> tuple[str, str]:
        """The bucket and the prefix of a copy in S3."""
        bucket, _, prefix = self.uri.removeprefix("s3://").partition("/")
        return bucket, prefix

    def options(self) -> dict[str, str]:
        """Return the options for deltalake, credentials included; they belong into no message.

        Raises:
            LakeError: There are no such credentials.
        """
        if not self.is_on_s3:
            return {}
        credentials, client = self._credentials_and_client()
        if credentials is None:
            raise LakeError(
                f"lake {self.uri}: no AWS credentials{f' in profile {self.profile}' if self.profile else ''}"
            )
        frozen = credentials.get_frozen_credentials()
        options = {
            "aws_access_key_id": frozen.access_key,
            "aws_secret_access_key": frozen.secret_key,
            "aws_region": client.meta.region_name,
            "aws_conditional_put": "etag",
        }
        if frozen.token:
            options["aws_session_token"] = frozen.token
        endpoint = client.meta.endpoint_url
        if not endpoint.endswith(".amazonaws.com"):
            options |= {"aws_endpoint": endpoint, "aws_virtual_hosted_style_request": "false"}
            options["aws_allow_http"] = str(endpoint.startswith("http://")).lower()
        if self.kms_key:
            options |= {"aws_server_side_encryption": "aws:kms", "aws_sse_kms_key_id": self.kms_key}
        return options

    def client(self) -> Any:
        """Return a boto3 client for what deltalake has no words for.

        Raises:
            LakeError: There are no such credentials.
        """
        return self._credentials_and_client()[1]

    def _credentials_and_client(self) -> tuple[Any, Any]:
        try:
            session = self._open_session(self.profile)
            return session.get_credentials(), session.client("s3", region_name=session.region_name or "us-east-1")
        except BotoCoreError as error:
            raise LakeError(f"lake {self.uri}: {setup_problem(error) or error}") from None

    def prepare(self) -> None:
        """Make the directory of a copy on a file system, for its owner and its group and for nobody else.

        Raises:
            LakeError: It cannot be made, or others may enter it.
        """
        if self.is_on_s3:
            return
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                if self._group:
                    shutil.chown(self.path, group=self._group)
                # Files and directories in it belong to its group, too.
                self.path.chmod(0o2750 if self._group else 0o700)
        except LookupError:
            with contextlib.suppress(OSError):
                self.path.rmdir()
            raise LakeError(f"lake {self.uri}: there is no group {self._group}") from None
        except OSError as error:
            raise LakeError(f"lake {self.uri}: cannot be made ({error.strerror})") from None
        if self.path.stat().st_mode & OTHERS:
            command = f"chmod o= {shlex.quote(str(self.path))}"
            raise LakeError(f"lake {self.uri}: others than its owner and group may enter it; run: {command}")


def check_places_apart(opaque: Storage, clear: Storage) -> None:
    """Check that neither copy lies in the other, wherever links lead: a vacuum of the one would destroy the other.

    Args:
        opaque: Where the opaque copy is.
        clear: Where the clear copy is.

    Raises:
        ArgumentError: One copy lies in the other.
    """
    if _holds(opaque, clear) or _holds(clear, opaque):
        raise ArgumentError(f"lake {clear.uri}: the two copies need places of their own, neither in the other")


def check_apart(opaque: Storage, clear: Storage) -> None:
    """Check that whoever may read the opaque copy may not, by that alone, read the clear one.

    Args:
        opaque: Where the opaque copy is.
        clear: Where the clear copy is.

    Raises:
        ArgumentError: They lie in one another, or share their credentials.
    """
    check_places_apart(opaque, clear)
    if opaque.is_on_s3 and clear.is_on_s3:
        if opaque.options()["aws_access_key_id"] == clear.options()["aws_access_key_id"]:
            raise ArgumentError(
                f"lake {clear.uri}: the clear copy needs credentials of its own; name another profile for it"
            )
    elif not opaque.is_on_s3 and not clear.is_on_s3 and opaque.path.exists() and clear.path.exists():
        ours, theirs = opaque.path.stat(), clear.path.stat()
        if theirs.st_mode & 0o050 and ours.st_gid == theirs.st_gid:
            raise ArgumentError(
                f"lake {clear.uri}: belongs to the group of the opaque copy; give it a group of its own"
            )


def _holds(outer: Storage, inner: Storage) -> bool:
    if outer.is_on_s3 or inner.is_on_s3:
        return f"{inner.uri}/".startswith(f"{outer.uri}/")
    here, there = (Path(os.path.realpath(storage.path)) for storage in (outer, inner))
    if here in (there, *there.parents):
        return True
    # A directory that is mounted twice has two paths.
    return here.exists() and any(path.exists() and path.samefile(here) for path in (there, *there.parents))


def _path(uri: str) -> Path:
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri)
