"""Masking personal data in a stream of SQS messages."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.utils.shared import Shared

from maskline.errors import UsageError
from maskline.keys import Keyset, StoredKeyset, keyset_provider, open_keyset
from maskline.records import MaskedRow, Rejection, SqsMessage
from maskline.streams.definition import StreamDefinition
from maskline.streams.masking import MessageMasker
from maskline.transforms.metrics import JobCounter
from maskline.transforms.run_context import RunContext, run_context

MASKED_TAG = "masked"
REJECTED_TAG = "rejected"


class MaskPii(beam.PTransform):
    """Decodes, checks and masks messages: each becomes a `MaskedRow` or a `Rejection`, and never an error.

    *Guarantee*: neither holds personal data in clear; the body goes along encrypted.

    Returns two PCollections::

        masked, rejected = messages | MaskPii(stream, keyset="aws-kms://KEY_ARN?keyset=s3://BUCKET/KEY")

    By its URI a keyset is read and opened by each worker, once a process and before anything is masked: it crosses no
    engine, and a runner may fuse this step with the one before it, so that no message leaves the process in clear. A
    side input may come from anywhere, and keeps a runner from fusing.

    Args:
        stream: What the messages look like.
        keyset: The keyset to mask under: its URI (see `maskline.keys.providers`), or a `StoredKeyset` as a side input.
        context: The run, which a starter shares with its transforms; see `RunContext`.

    Raises:
        UsageError: `keyset` is neither, or the URI names no provider.
    """

    def __init__(
        self, stream: StreamDefinition, keyset: str | pvalue.AsSingleton, context: RunContext | None = None
    ) -> None:
        super().__init__()
        context = context or run_context()
        if isinstance(keyset, str):
            self._mask = beam.ParDo(_MaskByUri(stream, keyset, context))
        elif isinstance(keyset, pvalue.AsSingleton):
            self._mask = beam.ParDo(_MaskBySideInput(stream, context), keyset)
        else:
            raise UsageError(
                "MaskPii takes its keyset by URI, keyset='file:keyset.json', or as a side input of one StoredKeyset, "
                "keyset=beam.pvalue.AsSingleton(pcollection)"
            )

    def expand(self, messages: pvalue.PCollection[SqsMessage]) -> pvalue.DoOutputsTuple:
        """Mask each message."""
        typed = self._mask.with_output_types(MaskedRow, **{REJECTED_TAG: Rejection})
        return messages | "Mask message" >> typed.with_outputs(REJECTED_TAG, main=MASKED_TAG)


class _Mask(beam.DoFn):
    """Masks, and counts what it masked, once it has a keyset."""

    def __init__(self, stream: StreamDefinition, context: RunContext) -> None:
        self._stream = stream
        self._context = context
        self._masked_counter = JobCounter("masked", context)
        self._extra_fields_counter = JobCounter("extra_fields", context)
        self._masker: MessageMasker | None = None

    def use(self, keyset: Keyset) -> None:
        """Mask under a keyset from now on."""
        self._masker = MessageMasker(self._stream, keyset)

    def start_bundle(self) -> None:
        self._masked = 0

    def mask(self, message: SqsMessage) -> Iterator[MaskedRow | pvalue.TaggedOutput]:
        """Mask one message."""
        assert self._masker is not None, "a keyset comes first"
        outcome = self._masker.mask(message)
        if isinstance(outcome, Rejection):
            yield pvalue.TaggedOutput(REJECTED_TAG, outcome)
        else:
            self._masked += 1
            yield outcome

    def finish_bundle(self) -> None:
        self._masked_counter.add(self._masked)
        if self._masker is not None:
            self._extra_fields_counter.add(self._masker.extra_fields)
            self._masker.extra_fields = 0


class _MaskByUri(_Mask):
    """Opens the keyset in ``setup``, which comes before the first message of all that is fused with it."""

    def __init__(self, stream: StreamDefinition, uri: str, context: RunContext) -> None:
        super().__init__(stream, context)
        self._uri = keyset_provider(uri).uri
        # A worker has several copies of a DoFn, and a KMS is asked once for all of them.
        self._opened_in_process = Shared()

    def setup(self) -> None:
        with self._context.reporting_failures():
            self.use(self._opened_in_process.acquire(self._open))

    def process(self, message: SqsMessage) -> Iterator[MaskedRow | pvalue.TaggedOutput]:
        return self.mask(message)

    def _open(self) -> Keyset:
        return open_keyset(keyset_provider(self._uri).fetch())


class _MaskBySideInput(_Mask):
    def __init__(self, stream: StreamDefinition, context: RunContext) -> None:
        super().__init__(stream, context)
        self._stored: StoredKeyset | None = None

    def process(self, message: SqsMessage, stored: StoredKeyset) -> Iterator[MaskedRow | pvalue.TaggedOutput]:
        if stored is not self._stored and stored != self._stored:
            with self._context.reporting_failures():
                self.use(open_keyset(stored))
            self._stored = stored
        return self.mask(message)
