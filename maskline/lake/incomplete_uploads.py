"""Files of a copy that were never finished, since the process that wrote them was killed.

On a file system the store's client writes a file as ``NAME#1`` and renames it; in S3 it uploads a large one in parts.
Neither is a file yet, so no vacuum of Delta tables sees it, and it may hold rows of anybody.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from maskline.aws import error_code, setup_problem
from maskline.errors import LakeError, LakeUnavailableError, MasklineError
from maskline.lake.storage import Storage

_STAGED = re.compile(r".+#\d+")
_ACCESS_DENIED = ("AccessDenied", "Forbidden", "403")
_PERMISSIONS = "s3:ListBucketMultipartUploads and s3:AbortMultipartUpload"


class IncompleteUpload(msgspec.Struct, frozen=True):
    """A file that was never finished.

    Attributes:
        path: Its path in the table.
        since: When it was last written to or, in S3, begun.
        remove: Removes it.
    """

    path: str
    since: datetime
    remove: Callable[[], object]


def incomplete_uploads(storage: Storage) -> list[IncompleteUpload]:
    """Return the files of a copy that are being written, or never came to be.

    Args:
        storage: Where the copy is.

    Raises:
        LakeError: These credentials may not list them.
        LakeUnavailableError: The store does not answer.
    """
    if not storage.is_on_s3:
        return list(_staged(storage))
    try:
        return list(_uploads(storage))
    except (BotoCoreError, ClientError) as error:
        raise _map_storage_error(storage, error) from None


def remove_incomplete_uploads(storage: Storage, files: list[IncompleteUpload]) -> None:
    """Remove such files.

    Args:
        storage: Where the copy is.
        files: What `incomplete_uploads` returned, or some of it.

    Raises:
        LakeError: These credentials may not do that.
        LakeUnavailableError: The store does not answer.
    """
    try:
        for file in files:
            file.remove()
    except (BotoCoreError, ClientError, OSError) as error:
        raise _map_storage_error(storage, error) from None


def _staged(storage: Storage) -> Iterator[IncompleteUpload]:
    for file in storage.path.rglob("*#*"):
        if _STAGED.fullmatch(file.name) and file.is_file():
            since = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            yield IncompleteUpload(
                str(file.relative_to(storage.path)), since, functools.partial(file.unlink, missing_ok=True)
            )


def _uploads(storage: Storage) -> Iterator[IncompleteUpload]:
    client = storage.client()
    bucket, prefix = storage.bucket_and_prefix
    below = f"{prefix}/" if prefix else ""
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=below):
        for upload in page.get("Uploads", []):
            place = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            yield IncompleteUpload(
                upload["Key"].removeprefix(below), upload["Initiated"], functools.partial(_abort, client, place)
            )


def _abort(client: Any, place: dict[str, str]) -> None:
    try:
        client.abort_multipart_upload(**place)
    except ClientError as error:
        if error_code(error) != "NoSuchUpload":  # its writer has finished or abandoned it meanwhile
            raise


def _map_storage_error(storage: Storage, error: Exception) -> MasklineError:
    if isinstance(error, OSError):
        return LakeError(f"lake {storage.uri}: an incomplete file cannot be removed ({error.strerror})")
    assert isinstance(error, BotoCoreError | ClientError)
    problem, code = setup_problem(error), error_code(error)
    if problem:
        return LakeError(f"lake {storage.uri}: {problem}")
    if code in _ACCESS_DENIED:
        return LakeError(
            f"lake {storage.uri}: incomplete uploads cannot be looked after ({code}); allow {_PERMISSIONS}"
        )
    return LakeUnavailableError(f"lake {storage.uri}: incomplete uploads cannot be looked after ({code})")
