"""A stream as it was defined, and the columns and tables that are maskline's own."""

from __future__ import annotations

import msgspec

from maskline.streams.columns import Column, Origin
from maskline.streams.message_format import Condition, Envelope, Example, MessageFormat

JOB_COLUMNS = {
    "create_date": "date",
    "message_id": "uuid",
    "sent_at": "timestamptz",
    "processed_at": "timestamptz",
    "key_id": "bigint",
}
"""The columns that the job itself fills, in every table: what each is for stands in docs/streams.md."""

WRITTEN_IN = "written_in"
"""The column that Postgres fills with the transaction that wrote the row; only publishing to the lake needs it."""

JOB_TABLES = (
    "rejected_messages",
    "pii_access_log",
    "maskline_schema_version",
    "lake_publications",
    "lake_restores",
    "maskline_outcomes",
    "maskline_keys",
    "maskline_key_writers",
    "maskline_columns",
    "maskline_suppressions",
    "maskline_access_counts",
)
"""The tables that `migrate` makes for all streams."""

CLOUDEVENTS_PREFIX = "ce-"
"""What the names of a CloudEvent's attributes begin with where they travel as message attributes."""


class StreamDefinition(msgspec.Struct, frozen=True):
    """What a stream's messages look like and where they go.

    Attributes:
        name: The stream's name, part of its columns' default domains.
        table: The table its rows are written to, as the definition writes it: ``orders`` or ``shop.orders``. It is to
            be quoted by `table_parts`.
        columns: Its columns in the order of the file.
        format: How the record is packed into a message.
        conditions: Which messages are this stream's; all have to hold. None are needed where it is alone on its queue.
        rejects_unknown: Whether a message with fields that no column takes is rejected; they are counted otherwise.
        deletes_payloads: Whether the object that a message points to is deleted with the message.
        examples: Messages of which the definition says what becomes of them.
        subject: The columns that say whose a row is, none where a row is nobody's; None where nobody said.
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    format: MessageFormat = MessageFormat()
    conditions: tuple[Condition, ...] = ()
    rejects_unknown: bool = False
    deletes_payloads: bool = False
    examples: tuple[Example, ...] = ()
    subject: tuple[str, ...] | None = None

    def __hash__(self) -> int:
        """Return the hash of what tells streams apart; an example has a row, which has none."""
        return hash((self.name, self.table))

    @property
    def streams(self) -> tuple[StreamDefinition, ...]:
        """This stream alone, as a `StreamSet` has several."""
        return (self,)

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def masked_columns(self) -> tuple[Column, ...]:
        """The columns that hold what a mask made of their values."""
        return tuple(column for column in self.columns if column.is_masked)

    @property
    def hashed_columns(self) -> tuple[Column, ...]:
        """The columns that take the keyset of hashes."""
        return tuple(column for column in self.columns if column.mask is not None and column.mask.takes_hash_keyset)

    @property
    def reversible_columns(self) -> tuple[Column, ...]:
        """The columns whose values the keyset brings back."""
        return tuple(column for column in self.columns if column.mask is not None and column.mask.is_reversible)

    @property
    def subject_columns(self) -> tuple[Column, ...]:
        """The columns that say whose a row is; see `maskline.streams.subjects`."""
        return tuple(column for column in self.columns if column.name in (self.subject or ()))

    @property
    def schema(self) -> str | None:
        """The schema of the table, or None where the search path finds it."""
        return self.table_parts[0] if len(self.table_parts) > 1 else None

    @property
    def table_parts(self) -> tuple[str, ...]:
        """Schema, where there is one, and name of the table, each to be quoted by itself."""
        return tuple(self.table.split("."))

    @property
    def fetches_payloads(self) -> bool:
        """Whether a message may point to an object in S3."""
        return Envelope.S3_POINTER in self.format.envelopes

    @property
    def attribute_names(self) -> frozenset[str]:
        """The message attributes that receiving has to ask for; none for most streams."""
        sources = [
            *(column.source for column in self.columns),
            *(condition.source for condition in self.conditions),
        ]
        names = {source.path.text for source in sources if source.origin is Origin.ATTRIBUTE}
        if Envelope.CLOUDEVENTS in self.format.envelopes:
            around = {source.path.text for source in sources if source.origin is Origin.ENVELOPE}
            names |= {CLOUDEVENTS_PREFIX + name for name in around | {"specversion"}}
        return frozenset(names)
