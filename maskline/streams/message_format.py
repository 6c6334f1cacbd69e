"""How a stream's record is packed into a message, and which messages are the stream's."""

from __future__ import annotations

import enum

import msgspec

from maskline.records import Reason
from maskline.streams.columns import Plain, Source
from maskline.streams.paths import Path


class Envelope(enum.StrEnum):
    """What a service between producer and queue put around the record."""

    SNS = "sns"
    EVENTBRIDGE = "eventbridge"
    CLOUDEVENTS = "cloudevents"
    S3_POINTER = "s3-pointer"


class Packing(enum.StrEnum):
    """How the text of the record is encoded."""

    BASE64 = "base64"
    GZIP = "gzip"
    ZSTD = "zstd"
    JSON = "json"
    """A JSON string whose text is the JSON: somebody encoded it twice."""


class MessageFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How a record is packed into a message. The plain one is a body that is the record itself.

    Attributes:
        envelopes: What is around it, from the outside in.
        packings: How the text inside the envelopes is encoded, in the order in which it is undone.
        root: Where the record stands in what comes out, or None where it is the whole of it.
    """

    envelopes: tuple[Envelope, ...] = ()
    packings: tuple[Packing, ...] = ()
    root: Path | None = None


class Condition(msgspec.Struct, frozen=True):
    """One line of ``[match]``.

    Attributes:
        source: What is compared.
        values: What it may be.
    """

    source: Source
    values: tuple[str | int | bool, ...]


class Example(msgspec.Struct, frozen=True):
    """One ``[[test]]`` of a definition: a message and what becomes of it.

    Attributes:
        body: The body of the message.
        attributes: Its message attributes.
        row: What the columns named hold, those of type ``timestamptz`` as RFC 3339 writes them, ``jsonb`` as JSON text,
            and masked ones in clear.
        nulls: The columns that are NULL.
        rejected: Why it is rejected, where it becomes no row.
    """

    body: str
    attributes: dict[str, str]
    row: dict[str, Plain | list[Plain]]
    nulls: tuple[str, ...] = ()
    rejected: Reason | None = None
