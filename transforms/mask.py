"""Masking personal data in a stream of messages or records."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.transforms.display import DisplayDataItem
from apache_beam.typehints import typehints
from apache_beam.utils.shared import Shared

from maskline.core_dumps import forbid_core_dumps
from maskline.errors import ArgumentError
from maskline.keys import HashKeyset, Keyset, KeysetUri, StoredKeyset, open_keyset
from maskline.keys.followed_keyset import FollowedKeyset
from maskline.records import LeftMessage, MaskedRow, Receipt, RejectedRecord, Rejection, SqsMessage
from maskline.streams.definition import StreamDefinition
from maskline.streams.masking import MessageMasker
from maskline.streams.payloads import S3Payloads
from maskline.streams.rejection_share import check_max_percent
from maskline.streams.stream_set import StreamSet, StreamSetMasker, Unmatched
from maskline.transforms.arguments import check_context, parse_stream
from maskline.transforms.metrics import JobCounter, rejected_metric
from maskline.transforms.payloads import RetriedPayloads
from maskline.transforms.run_context import RunContext
from maskline.transforms.suspects import ROWS_PER_LOOK, SuspectPersonalData

MASKED_TAG = "masked"
REJECTED_TAG = "rejected"
LEFT_TAG = "left"

_TAGS: dict[type, str] = {Rejection: REJECTED_TAG, RejectedRecord: REJECTED_TAG, LeftMessage: LEFT_TAG}
"""What an outcome goes out under; what is not among them is masked."""


class MaskPii(beam.PTransform):
    """Decodes, checks and masks messages or records. Each comes out masked or rejected; none is an error.

    *Guarantee*: neither outcome holds personal data in clear. What is rejected is passed on encrypted.

    It returns two PCollections::

        masked, rejected = messages | MaskPii("user_logins", keyset="aws-kms://KEY_ARN?keyset=s3://BUCKET/KEY")

    ===============================  =============================================  ==================
    an element                       becomes in ``masked``                          or in ``rejected``
    ===============================  =============================================  ==================
    `SqsMessage`                     a `MaskedRow`, for `WriteToPostgres`           a `Rejection`
    ``str``, ``bytes``: JSON         a ``dict``: column -> value or token, for any  a `RejectedRecord`
    ``dict``: a record, decoded      sink                                           a `RejectedRecord`
    ``list``: a micro-batch of them  a ``list`` of what became of them, if any      a ``list``, if any
    ===============================  =============================================  ==================

    So records of Kafka or Pub/Sub are masked by the same definition and the same keyset as messages of SQS, and their
    tokens join: ``kafka | beam.Values() | MaskPii(…)``. A masked ``dict`` has the columns of the stream and nothing
    else; fields that no column takes are left out and counted.

    A keyset that is given by its URI is read and opened by the workers, once in each process and before anything is
    masked. It passes through no runner, and a runner may fuse this step with the one before it, so that no message
    leaves a process in clear. It is read again every few seconds, so that a rotation needs no restart (see
    `maskline.keys.followed_keyset`). A keyset that is given as a side input may come from anywhere, but keeps a runner
    from fusing the two steps.

    Of the streams of a `StreamSet`, the first whose ``[match]`` holds takes a message. A message that no stream takes
    is rejected as ``no_stream``, or with ``unmatched="leave"`` put into a third PCollection as a `LeftMessage`, for
    `ReturnToSqs`. Records from elsewhere than SQS have no queue to be left in, so they are of one stream.

    Args:
        stream: What the messages look like: a definition, or the name or path of one, which is read now; or a
            `StreamSet`.
        keyset: The keyset to mask under: its URI (see `maskline.keys.providers`), or a side input of one
            `StoredKeyset`.
        context: The run that the transform belongs to; see `RunContext`. Only a program that starts runs gives one.
        unmatched: What becomes of a message that no stream takes.
        stop_when_rejected: The percentage of rejected messages, among the last one or two thousand and at least 20,
            from which on the bundle fails and the run with it: a definition that fits nothing would otherwise drain the
            queue. None for no limit.
        hash_keyset: The URI of the keyset of hashes; needed where a column is hashed.

    Raises:
        ArgumentError: `stream` is no definition, `keyset` is neither a URI nor a side input, a URI names no provider,
            a value is out of its range or of another type, or a column is hashed and `hash_keyset` is missing.
    """

    def __init__(
        self,
        stream: StreamDefinition | StreamSet | str,
        keyset: KeysetUri | str | pvalue.AsSingleton,
        context: RunContext | None = None,
        unmatched: Unmatched | str = Unmatched.REJECT,
        stop_when_rejected: float | None = None,
        hash_keyset: KeysetUri | str | None = None,
    ) -> None:
        super().__init__()
        self._stream = parse_stream(stream)
        hash_uri = _hash_keyset_uri(self._stream, hash_keyset)
        if unmatched not in list(Unmatched):
            raise ArgumentError(f"unmatched is {unmatched!r}; it must be one of {', '.join(Unmatched)}")
        self._leaves_unmatched = unmatched == Unmatched.LEAVE
        rules = _Rules(self._leaves_unmatched, check_max_percent(stop_when_rejected))
        context = check_context(context)
        self._keyset_uri: KeysetUri | None = None
        if isinstance(keyset, str | KeysetUri):
            self._keyset_uri = KeysetUri.parse(keyset)
            self._mask = beam.ParDo(_MaskByUri(self._stream, self._keyset_uri, context, rules, hash_uri))
        elif isinstance(keyset, pvalue.AsSingleton):
            self._mask = beam.ParDo(_MaskBySideInput(self._stream, context, rules, hash_uri), keyset)
        else:
            raise ArgumentError(
                "keyset: MaskPii takes its keyset by URI, keyset='file:keyset.json', or as a side input of one "
                "StoredKeyset, keyset=beam.pvalue.AsSingleton(pcollection)"
            )

    def expand(self, messages: pvalue.PCollection[Any]) -> pvalue.DoOutputsTuple:
        """Mask each message."""
        masked, rejected, left = _outcome_types(messages.element_type)
        if not self._leaves_unmatched:
            typed = self._mask.with_output_types(masked, **{REJECTED_TAG: rejected})
            return messages | "Mask message" >> typed.with_outputs(REJECTED_TAG, main=MASKED_TAG)
        typed = self._mask.with_output_types(masked, **{REJECTED_TAG: rejected, LEFT_TAG: left})
        return messages | "Mask message" >> typed.with_outputs(REJECTED_TAG, LEFT_TAG, main=MASKED_TAG)

    def display_data(self) -> dict[str, Any]:
        """Return the stream and where the keyset is kept, for a runner's interface."""
        return {
            "stream": DisplayDataItem(self._stream.name, label="Stream"),
            "keyset": DisplayDataItem(str(self._keyset_uri or "a side input"), label="Keyset"),
        }


def _hash_keyset_uri(stream: StreamDefinition | StreamSet, uri: KeysetUri | str | None) -> KeysetUri | None:
    """Return the URI of the keyset of hashes, or None where no column is hashed."""
    if not stream.hashed_columns:
        return None
    if uri is None:
        columns = ", ".join(column.name for column in stream.hashed_columns)
        raise ArgumentError(f"hash_keyset: missing; the stream {stream.name} hashes {columns}")
    return KeysetUri.parse(uri)


def _outcome_types(element_type: Any) -> tuple[Any, Any, Any]:
    """Return the types of masked, rejected and left elements; Any where the type of the elements is not known."""
    if isinstance(element_type, typehints.ListConstraint):
        masked, rejected, left = _outcome_types(element_type.inner_type)
        return typehints.List[masked], typehints.List[rejected], typehints.List[left]
    if element_type is SqsMessage:
        return MaskedRow, Rejection, LeftMessage
    if element_type in (str, bytes) or isinstance(element_type, typehints.DictConstraint):
        return dict[str, Any], RejectedRecord, LeftMessage
    return Any, Any, Any


def _tagged(tag: str | None, output: Any) -> Any:
    return output if tag is None else pvalue.TaggedOutput(tag, output)


class _Rules(NamedTuple):
    """How messages are treated that cannot become rows."""

    leaves_unmatched: bool = False
    stop_when_rejected: float | None = None


class _Mask(beam.DoFn):
    """Masks and counts, under the keyset that was last given to `use`."""

    def __init__(
        self,
        stream: StreamDefinition | StreamSet,
        context: RunContext,
        rules: _Rules = _Rules(),
        hash_keyset: KeysetUri | None = None,
    ) -> None:
        self._stream = stream
        self._hash_uri = hash_keyset
        self._hash_keyset: HashKeyset | None = None
        # A worker makes several copies of a DoFn; they share what is opened, so that a KMS is asked once.
        self._hash_opened_in_process = Shared()
        self._leaves_unmatched, self._stop_when_rejected = rules
        self._context = context
        self._masked_counter = JobCounter("masked", context)
        self._extra_fields_counter = JobCounter("extra_fields", context)
        self._invalid_values_counter = JobCounter("invalid_values", context)
        self._suspects = SuspectPersonalData(stream.streams, context)
        self._masker: MessageMasker | StreamSetMasker | None = None

    def setup(self) -> None:
        if self._hash_uri is not None:
            with self._context.reporting_failures():
                self._hash_keyset = self._hash_opened_in_process.acquire(self._hash_uri.open_hash)

    def use(self, keyset: Keyset) -> None:
        """Mask under a keyset from now on."""
        forbid_core_dumps()  # a runner's worker was not started by our command line, which does this first
        self._count_fields()
        # Made here, on the worker: a client cannot be pickled.
        payloads = RetriedPayloads(S3Payloads(), self._context) if self._stream.fetches_payloads else None
        if isinstance(self._stream, StreamSet) or self._leaves_unmatched:
            self._masker = StreamSetMasker(
                StreamSet(self._stream.streams),
                keyset,
                payloads,
                leaves_unmatched=self._leaves_unmatched,
                hash_keyset=self._hash_keyset,
            )
        else:
            self._masker = MessageMasker(self._stream, keyset, payloads, self._hash_keyset)

    def start_bundle(self) -> None:
        self._masked = 0
        self._suspects.declare()
        self._masked_reported = 0

    def mask(self, element: Any) -> Sequence[Any]:
        """Return what becomes of a message, a record or a micro-batch, in a tuple: a generator takes 0.4 µs more."""
        if isinstance(element, list):
            return self._mask_micro_batch(element)
        outcome = self._outcome(element)
        return (_tagged(_TAGS.get(type(outcome)), outcome),)

    def _mask_micro_batch(self, elements: list[Any]) -> Sequence[Any]:
        outcomes: defaultdict[str | None, list[Any]] = defaultdict(list)
        for element in elements:
            outcome = self._outcome(element)
            outcomes[_TAGS.get(type(outcome))].append(outcome)
        return list(itertools.starmap(_tagged, outcomes.items()))

    def _outcome(self, element: Any) -> MaskedRow | dict[str, Any] | Rejection | RejectedRecord | LeftMessage:
        """Mask one message or record, and count it."""
        assert self._masker is not None, "a keyset comes first"
        outcome: MaskedRow | dict[str, Any] | Rejection | RejectedRecord | None
        if isinstance(element, SqsMessage):
            outcome = self._masker.mask(element)
        elif isinstance(element, str | bytes | dict) and isinstance(self._masker, MessageMasker):
            outcome = self._masker.mask_record(element)
        else:
            with self._context.reporting_failures():
                raise ArgumentError(
                    f"MaskPii takes elements of type SqsMessage, str, bytes or dict, or lists of them, and was given a "
                    f"{type(element).__name__}; of Kafka's pairs give the values (beam.Values()), of a PubsubMessage "
                    "its data; of several streams it takes elements of type SqsMessage alone"
                )
        if outcome is None:
            return LeftMessage(Receipt(element.message_id, element.receipt_handle), element.receive_count)
        if isinstance(outcome, Rejection):
            if self._stop_when_rejected is not None:
                self._report_masked()
                with self._context.reporting_failures():
                    self._context.rejection_share.add_rejected(outcome, self._stop_when_rejected)
        elif isinstance(outcome, RejectedRecord):
            # A message's rejection is counted when it is written; of a record nobody knows whether it ever is.
            for name in ("rejected", rejected_metric(outcome.reason)):
                JobCounter(name, self._context).add()
        else:
            if self._masked % ROWS_PER_LOOK == 0:
                self._look_for_personal_data(outcome)
            self._masked += 1
        return outcome

    def finish_bundle(self) -> None:
        self._masked_counter.add(self._masked)
        if self._stop_when_rejected is not None:
            self._report_masked()
        self._count_fields()

    def _count_fields(self) -> None:
        if self._masker is not None:
            self._extra_fields_counter.add(self._masker.extra_fields)
            self._masker.extra_fields = 0
            self._invalid_values_counter.add(self._masker.take_invalid_values())

    def _look_for_personal_data(self, outcome: MaskedRow | dict[str, Any]) -> None:
        if isinstance(outcome, MaskedRow):
            self._suspects.look_at(outcome.stream, outcome.values)
        else:
            self._suspects.look_at(self._stream.name, list(outcome.values()))

    def _report_masked(self) -> None:
        self._context.rejection_share.add_masked(self._masked - self._masked_reported)
        self._masked_reported = self._masked


class _MaskByUri(_Mask):
    """Opens the keyset in ``setup``, before the first message reaches any step that is fused with this one.

    It takes a newer keyset at a message, and not at the begin of a bundle, which comes before the long poll that fills
    the bundle.
    """

    def __init__(
        self,
        stream: StreamDefinition | StreamSet,
        uri: KeysetUri,
        context: RunContext,
        rules: _Rules = _Rules(),
        hash_keyset: KeysetUri | None = None,
    ) -> None:
        super().__init__(stream, context, rules, hash_keyset)
        self._uri = uri
        self._opened_in_process = Shared()

    def setup(self) -> None:
        super().setup()
        with self._context.reporting_failures():
            self._followed: FollowedKeyset = self._opened_in_process.acquire(self._open)
        self._keyset = self._followed.keyset
        self.use(self._keyset)

    def process(self, element: Any) -> Sequence[Any]:
        if self._followed.keyset is not self._keyset:
            self._keyset = self._followed.keyset
            self.use(self._keyset)
        return self.mask(element)

    def _open(self) -> FollowedKeyset:
        return FollowedKeyset(self._uri)


class _MaskBySideInput(_Mask):
    _stored: StoredKeyset | None = None

    def process(self, element: Any, stored: StoredKeyset) -> Sequence[Any]:
        if stored is not self._stored and stored != self._stored:
            with self._context.reporting_failures():
                self.use(open_keyset(stored))
            self._stored = stored
        return self.mask(element)
