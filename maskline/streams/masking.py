"""From a message of a stream to its masked row, or to its rejection."""

from __future__ import annotations

from maskline.errors import MasklineError
from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow, Reason, Receipt, Rejection, SqsMessage
from maskline.streams.column_types import InvalidValueError
from maskline.streams.decoding import MessageDecoder
from maskline.streams.definition import StreamDefinition


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
        self._masked = [(index, column.domain) for index, column in enumerate(stream.columns) if column.domain]
        self.extra_fields = 0

    def mask(self, message: SqsMessage) -> MaskedRow | Rejection:
        """Decode, check and mask one message.

        The body is sealed into either outcome, so that nothing behind this step holds personal data in clear.
        """
        sealed_body = self._masker.seal_body(message.body)
        receipt = Receipt(message.message_id, message.receipt_handle)
        try:
            values = self._masked_values(message)
        except InvalidValueError as refusal:
            reason, detail = refusal.reason, refusal.detail
        except MasklineError:
            raise  # of a part that the job stands on, and not of this message
        except Exception as error:  # one message never ends the job, whatever is in it
            # The text of an unknown exception may quote the value; its type cannot.
            reason, detail = Reason.UNEXPECTED, type(error).__name__
        else:
            return MaskedRow(receipt, message.sent_at, message.receive_count, self._key_id, values, sealed_body)
        return Rejection(
            receipt,
            self._stream.name,
            reason,
            detail,
            message.sent_at,
            message.receive_count,
            self._key_id,
            sealed_body,
        )

    def _masked_values(self, message: SqsMessage) -> tuple[object, ...]:
        decoded = self._decoder.decode(message.body)
        values = decoded.values
        for index, domain in self._masked:
            value = values[index]
            if value is not None:
                values[index] = self._masker.mask(str(value), domain)
        self.extra_fields += decoded.extra_fields
        return tuple(values)


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
