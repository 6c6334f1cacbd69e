"""Masking personal data in a stream of SQS messages."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue

from maskline.errors import UsageError
from maskline.keys import StoredKeyset, open_keyset
from maskline.masking import MessageMasker
from maskline.records import MaskedRow, Rejection, SqsMessage
from maskline.stream import StreamDefinition
from transforms.control import CONTROL
from transforms.metrics import EXTRA_FIELDS, MASKED

MASKED_TAG = "masked"
REJECTED_TAG = "rejected"


class MaskPii(beam.PTransform):  # type: ignore[misc]
    """Decodes, checks and masks messages: each becomes a `MaskedRow` or a `Rejection`, and never an error.

    *Guarantee*: neither holds personal data in clear; the body goes along encrypted.

    Returns two PCollections::

        masked, rejected = messages | MaskPii(stream, keyset=beam.pvalue.AsSingleton(keyset))

    Args:
        stream: What the messages look like.
        keyset: The `StoredKeyset` to mask under, as a side input; `ReadKeyset` makes it.

    Raises:
        UsageError: `keyset` is not a side input of one element.
    """

    def __init__(self, stream: StreamDefinition, keyset: pvalue.AsSingleton) -> None:
        super().__init__()
        if not isinstance(keyset, pvalue.AsSingleton):
            raise UsageError("MaskPii takes its keyset as a side input: keyset=beam.pvalue.AsSingleton(pcollection)")
        self._stream = stream
        self._keyset = keyset

    def expand(self, messages: pvalue.PCollection[SqsMessage]) -> pvalue.DoOutputsTuple:
        """Mask each message."""
        return messages | "Mask message" >> (
            beam.ParDo(_Mask(self._stream), self._keyset)
            .with_output_types(MaskedRow, **{REJECTED_TAG: Rejection})
            .with_outputs(REJECTED_TAG, main=MASKED_TAG)
        )


class _Mask(beam.DoFn):  # type: ignore[misc]
    def __init__(self, stream: StreamDefinition) -> None:
        self._stream = stream
        self._opened: StoredKeyset | None = None
        self._masker: MessageMasker | None = None

    def start_bundle(self) -> None:
        self._masked = 0

    def process(self, message: SqsMessage, stored: StoredKeyset) -> Iterator[MaskedRow | pvalue.TaggedOutput]:
        outcome = self._masker_for(stored).mask(message)
        if isinstance(outcome, Rejection):
            yield pvalue.TaggedOutput(REJECTED_TAG, outcome)
        else:
            self._masked += 1
            yield outcome

    def finish_bundle(self) -> None:
        MASKED.add(self._masked)
        if self._masker is not None:
            EXTRA_FIELDS.add(self._masker.extra_fields)
            self._masker.extra_fields = 0

    def _masker_for(self, stored: StoredKeyset) -> MessageMasker:
        if self._masker is None or (stored is not self._opened and stored != self._opened):
            with CONTROL.reporting_failures():
                self._masker = MessageMasker(self._stream, open_keyset(stored))
            self._opened = stored
        return self._masker
