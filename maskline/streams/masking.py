"""From a message of a stream to its masked row, or to its rejection."""

from __future__ import annotations

from typing import Any

from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow, Reason, Receipt, RejectedRecord, Rejection, SqsMessage
from maskline.streams.column_types import InvalidValueError
from maskline.streams.decoding import Decoded, MessageDecoder
from maskline.streams.definition import StreamDefinition
from maskline.streams.record_text import record_text, sealable_text


class MessageMasker:
    """Turns messages of one stream into masked rows or rejections.

    Args:
        stream: The stream's definition.
        keyset: The keyset whose primary key masks.
    """

    def __init__(self, stream: StreamDefinition, keyset: Keyset) -> None:
        self._stream = stream
        self._key_id = keyset.primary_key_id
        self._masker = Masker(keyset)
        self._decoder = MessageDecoder(stream)
        self._columns = [column.name for column in stream.columns]
        self._masked = [(index, column.domain) for index, column in enumerate(stream.columns) if column.domain]
        self.extra_fields = 0

    def mask(self, message: SqsMessage) -> MaskedRow | Rejection:
        """Decode, check and mask one message.

        The body is sealed into either outcome, so that nothing behind this step holds personal data in clear.
        """
        sealed_body = self._masker.seal_body(message.body)
        receipt = Receipt(message.message_id, message.receipt_handle)
        try:
            decoded = self._decoder.decode(message.body)
        except InvalidValueError as refusal:
            return Rejection(
                receipt,
                self._stream.name,
                refusal.reason,
                refusal.detail,
                message.sent_at,
                message.receive_count,
                self._key_id,
                sealed_body,
            )
        values = self._masked_values(decoded)
        return MaskedRow(receipt, message.sent_at, message.receive_count, self._key_id, tuple(values), sealed_body)

    def mask_record(self, record: str | bytes | dict[str, Any]) -> dict[str, object] | RejectedRecord:
        """Decode, check and mask one record from elsewhere than SQS.

        Args:
            record: JSON as text or UTF-8, or a decoded record; see `record_text`. It is not changed.

        Returns:
            The stream's columns and their values, personal ones as tokens, and nothing that the stream does not name;
            or why there are none, with the record sealed.
        """
        try:
            decoded = self._decoder.decode(record_text(record))
        except InvalidValueError as rejection:
            sealed_body = self._masker.seal_body(sealable_text(record))
            return RejectedRecord(self._stream.name, rejection.reason, rejection.detail, self._key_id, sealed_body)
        return dict(zip(self._columns, self._masked_values(decoded), strict=True))

    def _masked_values(self, decoded: Decoded) -> list[object]:
        self.extra_fields += decoded.extra_fields
        values = decoded.values
        for index, domain in self._masked:
            value = values[index]
            if value is not None:
                values[index] = self._masker.mask(str(value), domain)
        return values


def rejected_by_database(row: MaskedRow, stream: str, detail: str) -> Rejection:
    """Return the rejection of a row that Postgres does not take.

    Args:
        row: The row.
        stream: The name of its stream.
        detail: What Postgres objected to, without values.
    """
    return Rejection(
        row.receipt,
        stream,
        Reason.REFUSED_BY_DATABASE,
        detail,
        row.sent_at,
        row.receive_count,
        row.key_id,
        row.sealed_body,
    )
