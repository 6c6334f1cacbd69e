"""The options of the two copies in the lake, where they are and with which credentials, and the copies themselves."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from maskline.errors import UsageError
from maskline.lake.copies import Copy
from maskline.lake.storage import Storage, check_apart, check_places_apart
from maskline.masks.deterministic import Masker
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn
from maskline.postgres.connection import connect
from maskline.streams.definition import StreamDefinition, load_stream

if TYPE_CHECKING:
    from maskline.lake.source import RowSource
    from maskline.lake.table import LakeTable

OTHERS_MASK = 0o027


CONTENT = {Copy.TOKENIZED: "tokens", Copy.CLEARTEXT: "personal data in clear"}


def add_lake(options: Options, copies: Iterable[Copy] = tuple(Copy)) -> None:
    """Add the options of both copies, or of one.

    Args:
        options: The options of a command.
        copies: Which copies.
    """
    for copy in copies:
        what = CONTENT[copy]
        name = f"lake_{copy.value}"
        options.add(name, f"the {copy.value} copy, {what}: s3://BUCKET/PREFIX, file:///PATH or a path", metavar="URI")
        options.add(f"{name}_profile", "the AWS profile whose credentials are for it", metavar="NAME")
        options.add(f"{name}_kms_key", "the KMS key that S3 encrypts its new files with", metavar="ARN")
        options.add(f"{name}_group", "the group that may read it, on a file system", metavar="NAME")


def lake_tables(arguments: argparse.Namespace, stream: StreamDefinition | None = None) -> list[LakeTable]:
    """Return the copies that the options name, the opaque one first.

    From here on this process makes files that only their owner and their group may read.

    Args:
        arguments: The command line.
        stream: The stream, where it was loaded already.

    Raises:
        UsageError: There is none, a place will not do, or one copy lies in the other.
    """
    from maskline.lake.table import LakeTable  # an extra brings its libraries, which commands with no lake do without

    os.umask(OTHERS_MASK)
    stream = stream or load_stream(arguments.stream)
    tables = [LakeTable(storage, stream, copy) for copy in Copy if (storage := _storage(arguments, copy)) is not None]
    if not tables:
        raise UsageError("lake: missing; give --lake_opaque or --lake_clear, or both (or MASKLINE_LAKE_OPAQUE, …)")
    if len(tables) > 1:
        check_places_apart(tables[0].storage, tables[1].storage)
    return tables


def opaque_copy(arguments: argparse.Namespace) -> LakeTable | None:
    """Return the opaque copy, or None where it is not given.

    Args:
        arguments: The command line.

    Raises:
        UsageError: The place will not do.
    """
    storage = _storage(arguments, Copy.TOKENIZED)
    if storage is None:
        return None
    from maskline.lake.table import LakeTable

    return LakeTable(storage, load_stream(arguments.stream), Copy.TOKENIZED)


def check_copies_apart(tables: list[LakeTable]) -> None:
    """Check that access to one copy gives no access to the other.

    Args:
        tables: What `lake_tables` returned.

    Raises:
        UsageError: They lie in one another, or share their credentials or their group.
    """
    if len(tables) > 1:
        check_apart(tables[0].storage, tables[1].storage)


def row_source(arguments: argparse.Namespace, stream: StreamDefinition) -> RowSource:
    """Return the stream's table.

    Args:
        arguments: The command line.
        stream: The stream.

    Raises:
        UsageError: The database is not given.
    """
    from maskline.lake.source import RowSource

    return RowSource(functools.partial(connect, postgres_dsn(arguments)), stream)


def masker_for(arguments: argparse.Namespace, copy: Copy) -> Masker | None:
    """Return the masker that unmasks for a copy, or None for the copy of tokens.

    Args:
        arguments: The command line.
        copy: Which copy.

    Raises:
        UsageError: The keyset is not given.
    """
    if copy is Copy.TOKENIZED:
        return None
    return Masker(keyset_uri(arguments).open())


def _storage(arguments: argparse.Namespace, copy: Copy) -> Storage | None:
    def option(name: str) -> str | None:
        return getattr(arguments, f"lake_{copy.value}{name}") or None

    uri = option("")
    if uri is None:
        return None
    storage = Storage(uri, profile=option("_profile"), kms_key=option("_kms_key"), group=option("_group"))
    if copy is Copy.CLEARTEXT and storage.is_on_s3 and not storage.profile:
        raise UsageError("lake_clear: the clear copy needs credentials of its own; give --lake_clear_profile NAME")
    return storage
