"""Several streams on one queue: the first whose ``[match]`` holds takes a message."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from maskline.errors import StreamDefinitionError
from maskline.keys import HashKeyset, Keyset
from maskline.records import MaskedRow, Reason, Rejection, SqsMessage
from maskline.streams.columns import Column
from maskline.streams.domains import check_shared_domains
from maskline.streams.failures import InvalidValueError
from maskline.streams.masking import MessageMasker, rejection_for
from maskline.streams.matching import matcher
from maskline.streams.message_format import MessageFormat
from maskline.streams.opening import MessageOpener, Opened
from maskline.streams.payloads import PayloadStore, S3Payloads
from maskline.streams.stream import StreamDefinition

NO_STREAM = "-"
"""The name under which messages are kept that no stream takes; no stream can have it."""


class Unmatched(enum.StrEnum):
    """What becomes of a message that no stream takes."""

    REJECT = "reject"
    LEAVE = "leave"


class StreamSet(msgspec.Struct, frozen=True):
    """The definitions of the streams that share a queue.

    Attributes:
        streams: The definitions, in the order in which they are tried.
    """

    streams: tuple[StreamDefinition, ...]

    def __post_init__(self) -> None:
        """Check that every definition can have a message.

        Raises:
            StreamDefinitionError: Two have one name, one takes what others wait for, or columns that share a domain do
                not share its rule.
        """
        if not self.streams:
            raise StreamDefinitionError("streams: none is given")
        names = [stream.name for stream in self.streams]
        for name in names:
            if names.count(name) > 1:
                raise StreamDefinitionError(f"stream {name}: is given twice")
        for stream in self.streams[:-1]:
            if not stream.conditions:
                raise StreamDefinitionError(
                    f"stream {stream.name}: has no [match], so it takes every message and the streams after it none; "
                    "write one, or give it last"
                )
        try:
            check_shared_domains(
                (f"{stream.name}.{column.name}", column) for stream in self.streams for column in stream.columns
            )
        except ValueError as error:
            raise StreamDefinitionError(f"streams: {error}") from None

    @property
    def attribute_names(self) -> frozenset[str]:
        """The message attributes that receiving has to ask for."""
        return frozenset[str]().union(*(stream.attribute_names for stream in self.streams))

    @property
    def name(self) -> str:
        """The names of all, as one: what a run is called in logs and metrics."""
        return ",".join(stream.name for stream in self.streams)

    @property
    def deletes_payloads(self) -> bool:
        """Whether an object that a message points to may have to be deleted with the message."""
        return any(stream.deletes_payloads for stream in self.streams)

    @property
    def hashed_columns(self) -> tuple[Column, ...]:
        """The columns of all streams that take the keyset of hashes."""
        return tuple(column for stream in self.streams for column in stream.hashed_columns)

    @property
    def fetches_payloads(self) -> bool:
        """Whether a message may point to an object in S3."""
        return any(stream.fetches_payloads for stream in self.streams)


class StreamChooser:
    """Opens the messages of a queue and says which stream takes each.

    A message is opened once for all streams of one format.

    Args:
        streams: The definitions.
        payloads: Where objects that messages point to are fetched from; S3 if None.
    """

    def __init__(self, streams: StreamSet, payloads: PayloadStore | None = None) -> None:
        store = payloads or S3Payloads()
        self._openers = {stream.format: MessageOpener(stream.format, store) for stream in streams.streams}
        self._streams = [
            (stream.format, matcher(stream.conditions), bool(stream.conditions)) for stream in streams.streams
        ]

    def choose(
        self, body: str, attributes: Mapping[str, str] | None = None
    ) -> tuple[int | None, Opened | InvalidValueError]:
        """Open one message.

        Args:
            body: The body as SQS gave it.
            attributes: Its message attributes.

        Returns:
            The place of the stream that takes it and the opened message, or why it could not be opened; or None, and
            why no stream takes it.

        Raises:
            MasklineError: A part that the job stands on failed; the message is not at fault.
        """
        opened: dict[MessageFormat, Opened | InvalidValueError] = {}
        for place, (message_format, matches, has_conditions) in enumerate(self._streams):
            if message_format not in opened:
                opened[message_format] = self._open(body, attributes, message_format)
            found = opened[message_format]
            if not has_conditions or (isinstance(found, Opened) and matches(found)):
                return place, found
        rejections = [found for found in opened.values() if isinstance(found, InvalidValueError)]
        if len(rejections) == len(opened):
            return None, rejections[0]
        return None, InvalidValueError(Reason.NO_STREAM, "no stream's [match] holds")

    def _open(
        self, body: str, attributes: Mapping[str, str] | None, message_format: MessageFormat
    ) -> Opened | InvalidValueError:
        try:
            return self._openers[message_format].open(body, attributes)
        except Exception as error:
            return rejection_for(error)


class StreamSetMasker:
    """Turns the messages of a queue into masked rows and rejections of the streams that they belong to.

    One that no stream takes is rejected as ``no_stream``, or for the reason why none could open it, and under the name
    `NO_STREAM`; or it is left in the queue.

    Args:
        streams: The definitions.
        keyset: The keyset whose primary key masks.
        payloads: Where objects that messages point to are fetched from; S3 if None.
        leaves_unmatched: Whether messages that no stream takes are left in the queue, for another consumer.
        hash_keyset: The keyset of hashes, where a stream has columns that are hashed.

    Raises:
        ArgumentError: A stream has columns that are hashed, and there is no keyset of hashes.
    """

    def __init__(
        self,
        streams: StreamSet,
        keyset: Keyset,
        payloads: PayloadStore | None = None,
        *,
        leaves_unmatched: bool = False,
        hash_keyset: HashKeyset | None = None,
    ) -> None:
        self._chooser = StreamChooser(streams, payloads)
        self._maskers = [MessageMasker(stream, keyset, payloads, hash_keyset) for stream in streams.streams]
        self._leaves_unmatched = leaves_unmatched
        self.extra_fields = 0

    def take_invalid_values(self) -> int:
        """Return how many values without a normal form were masked as they are since the last call."""
        return sum(masker.take_invalid_values() for masker in self._maskers)

    def mask(self, message: SqsMessage) -> MaskedRow | Rejection | None:
        """Decode, check and mask one message.

        Returns:
            Its row, its rejection, or None where it is left in the queue.

        Raises:
            MasklineError: A part that the job stands on failed; the message is not at fault.
        """
        place, opened = self._chooser.choose(message.body, message.attributes)
        if place is None:
            assert isinstance(opened, InvalidValueError)
            return None if self._leaves_unmatched else self._maskers[0].rejected(message, opened, stream=NO_STREAM)
        masker = self._maskers[place]
        outcome = masker.mask_opened(message, opened)
        self.extra_fields += masker.extra_fields
        masker.extra_fields = 0
        return outcome
