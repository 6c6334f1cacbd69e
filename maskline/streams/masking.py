"""From a message of a stream to its masked row, or to its rejection."""

from __future__ import annotations

from typing import Any

from maskline.errors import MasklineError
from maskline.keys import HashKeyset, Keyset
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow, Reason, Receipt, RejectedRecord, Rejection, SqsMessage
from maskline.streams.column_mask import column_mask
from maskline.streams.decoding import Decoded, MessageDecoder
from maskline.streams.failures import InvalidValueError
from maskline.streams.kept_message import kept_text
from maskline.streams.opening import Opened
from maskline.streams.owners import MessageOwners
from maskline.streams.payloads import PayloadStore
from maskline.streams.record_text import record_text, sealable_text
from maskline.streams.stream import StreamDefinition


class MessageMasker:
    """Turns messages of one stream into masked rows or rejections.

    *Guarantee*: the body is sealed into either outcome and personal values are tokens, so nothing behind this step
    holds personal data in clear. Whatever is in a message, it has an outcome; what is raised is a part that failed.

    Args:
        stream: The stream's definition.
        keyset: The keyset whose primary key masks.
        payloads: Where objects that messages point to are fetched from; S3 if None.
        hash_keyset: The keyset of hashes, where the stream has columns that are hashed.

    Raises:
        ArgumentError: The stream has columns that are hashed, and there is no keyset of hashes.
    """

    def __init__(
        self,
        stream: StreamDefinition,
        keyset: Keyset,
        payloads: PayloadStore | None = None,
        hash_keyset: HashKeyset | None = None,
    ) -> None:
        self._stream = stream
        self._key_id = keyset.primary_key_id
        self._masker = Masker(keyset)
        self._decoder = MessageDecoder(stream, payloads)
        self._columns = [column.name for column in stream.columns]
        self._masked = [
            (index, column_mask(column, self._masker, hash_keyset))
            for index, column in enumerate(stream.columns)
            if column.is_masked
        ]
        self._owners = MessageOwners(stream, keyset)
        self.extra_fields = 0

    def take_invalid_values(self) -> int:
        """Return how many values without a normal form were masked as they are since the last call."""
        count, self._decoder.invalid_values = self._decoder.invalid_values, 0
        return count

    def mask(self, message: SqsMessage) -> MaskedRow | Rejection:
        """Decode, check and mask one message.

        Raises:
            MasklineError: A part that the job stands on failed; the message is not at fault.
        """
        try:
            decoded = self._decoder.decode(message.body, message.attributes)
            subjects = self._owners.of_values(decoded.values)
            values = self._masked_values(decoded)
        except Exception as error:
            return self.rejected(message, rejection_for(error))
        return self._row(message, decoded, values, subjects)

    def mask_record(self, record: str | bytes | dict[str, Any]) -> dict[str, object] | RejectedRecord:
        """Decode, check and mask one record from elsewhere than SQS.

        Args:
            record: JSON as text or UTF-8, or a decoded record; see `record_text`. It is not changed.

        Returns:
            The stream's columns and their values, personal ones as tokens, and nothing that the stream does not name;
            or why there are none, with the record sealed.
        """
        try:
            values = self._masked_values(self._decoder.decode(record_text(record)))
        except Exception as error:
            rejection = rejection_for(error)
            sealed_body = self._masker.seal_body(sealable_text(record), self._stream.name, "")
            return RejectedRecord(self._stream.name, rejection.reason, rejection.detail, self._key_id, sealed_body)
        return dict(zip(self._columns, values, strict=True))

    def mask_opened(self, message: SqsMessage, opened: Opened | InvalidValueError) -> MaskedRow | Rejection:
        """Check and mask one message that was opened in the stream's format, or that could not be.

        Raises:
            MasklineError: A part that the job stands on failed; the message is not at fault.
        """
        try:
            if isinstance(opened, InvalidValueError):
                raise opened
            decoded = self._decoder.decode_opened(opened)
            subjects = self._owners.of_values(decoded.values)
            values = self._masked_values(decoded)
        except Exception as error:
            return self.rejected(message, rejection_for(error))
        return self._row(message, decoded, values, subjects)

    def rejected(self, message: SqsMessage, rejection: InvalidValueError, stream: str | None = None) -> Rejection:
        """Return the rejection of a message.

        Args:
            message: The message.
            rejection: Why it is refused.
            stream: The name under which it is kept; that of the stream if None.
        """
        explained = self._decoder.explained(rejection, message.body, message.attributes)
        kept_under = self._stream.name if stream is None else stream
        return Rejection(
            Receipt(message.message_id, message.receipt_handle),
            kept_under,
            explained.reason,
            explained.detail,
            message.sent_at,
            message.receive_count,
            self._key_id,
            self._masker.seal_body(kept_text(message), kept_under, message.message_id),
            self._owners.of_message(message),
        )

    def _masked_values(self, decoded: Decoded) -> tuple[object, ...]:
        values = decoded.values
        for index, mask in self._masked:
            value = values[index]
            if value is not None:
                values[index] = mask(value)
        self.extra_fields += decoded.extra_fields
        return tuple(values)

    def _row(
        self, message: SqsMessage, decoded: Decoded, values: tuple[object, ...], subjects: tuple[bytes, ...]
    ) -> MaskedRow:
        payload = decoded.payload if self._stream.deletes_payloads else None
        return MaskedRow(
            Receipt(message.message_id, message.receipt_handle, payload),
            message.sent_at,
            message.receive_count,
            self._key_id,
            values,
            self._masker.seal_body(
                message.body if message.attributes is None else kept_text(message),
                self._stream.name,
                message.message_id,
            ),
            self._stream.name,
            subjects,
        )


def rejection_for(error: Exception) -> InvalidValueError:
    """Return the rejection of a message that raised while it was decoded or masked: one message never ends the job.

    The text of an unexpected exception may quote a value, so nothing but its type is told.

    Raises:
        MasklineError: It is that of a part that the job stands on, and the message is not at fault.
    """
    if isinstance(error, MasklineError):
        raise error
    return error if isinstance(error, InvalidValueError) else InvalidValueError(Reason.UNEXPECTED, type(error).__name__)


def rejected_by_database(row: MaskedRow, stream: str, detail: str) -> Rejection:
    """Return the rejection of a row that Postgres does not take.

    Args:
        row: The row.
        stream: The name of its stream.
        detail: What Postgres objected to, without values.
    """
    return Rejection(
        Receipt(row.receipt.message_id, row.receipt.receipt_handle),
        stream,
        Reason.REFUSED_BY_DATABASE,
        detail,
        row.sent_at,
        row.receive_count,
        row.key_id,
        row.sealed_body,
        row.subjects,
    )
