"""The counts of a run, and their summary at its end."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from rich.table import Table

from maskline.pipeline.tables import new_table
from maskline.streams.stream_set import NO_STREAM
from maskline.transforms.metrics import REJECTED_PREFIX, STREAM_PREFIX
from maskline.transforms.suspects import SUSPECT_PREFIX

MAX_REJECTED_SHARE = 0.5
"""From this share of rejected messages on, a summary says so, and why."""


class Tallied(Protocol):
    """Something that has counted a run: a `Tally`, or the metrics of a cluster."""

    def counts(self) -> Counts[str]:
        """Return all counts; a name never counted counts 0."""

    def causes(self) -> Counts[str]:
        """Return why messages were rejected, reason and detail, and how often."""


class StreamCounts(msgspec.Struct, frozen=True):
    """The counts of one stream of a run so far.

    Attributes:
        written: Rows inserted.
        rejected: Rejections inserted.
        rejected_by_reason: The same by reason.
    """

    written: int = 0
    rejected: int = 0
    rejected_by_reason: Mapping[str, int] = {}

    def plus(self, other: StreamCounts) -> StreamCounts:
        """Add up the counts of two runs."""
        return StreamCounts(
            self.written + other.written,
            self.rejected + other.rejected,
            _sums([self.rejected_by_reason, other.rejected_by_reason]),
        )


class RunCounts(msgspec.Struct, frozen=True):
    """The counts of a run so far.

    Attributes:
        received: Messages received; a message delivered twice counts twice.
        written: Rows inserted.
        duplicates: Messages whose row or rejection was there before.
        rejected: Rejections inserted.
        rejected_by_reason: The same by reason.
        extra_fields: Fields that the stream does not know, ignored.
        deleted: Messages deleted.
        delete_failures: Messages that could not be deleted and will come back.
        db_retries: Times a micro-batch was tried again.
        invalid_values: Values without a normal form in their domain, masked as they are.
        suspect_pii: How often a sample found what looks like personal data in clear, by stream and column, with a dot
            between.
        suppressed: Messages of persons who were erased after they were sent.
        left: Times that a message was left in the queue, for no stream takes it.
        streams: The counts of each stream that has any, and of `NO_STREAM`, where there are several streams.
        causes: Why messages were rejected, reason and detail, and how many for it.
    """

    received: int
    written: int
    duplicates: int
    rejected: int
    rejected_by_reason: Mapping[str, int]
    extra_fields: int
    deleted: int
    delete_failures: int
    db_retries: int
    invalid_values: int = 0
    suspect_pii: Mapping[str, int] = {}
    suppressed: int = 0
    left: int = 0
    streams: Mapping[str, StreamCounts] = {}
    causes: Mapping[str, int] = {}

    @classmethod
    def of(cls, tally: Tallied) -> RunCounts:
        """Read a tally."""
        counts = tally.counts()
        return cls(
            received=counts["received"],
            written=counts["written"],
            duplicates=counts["duplicates"],
            rejected=counts["rejected"],
            rejected_by_reason=_by_reason(counts),
            extra_fields=counts["extra_fields"],
            deleted=counts["deleted"],
            delete_failures=counts["delete_failures"],
            db_retries=counts["db_retries"],
            invalid_values=counts["invalid_values"],
            suspect_pii={
                name.removeprefix(SUSPECT_PREFIX): count
                for name, count in sorted(counts.items())
                if name.startswith(SUSPECT_PREFIX)
            },
            suppressed=counts["suppressed"],
            left=counts["left"],
            streams=_of_streams(counts),
            causes=dict(tally.causes()),
        )

    @classmethod
    def together(cls, runs: Sequence[RunCounts]) -> RunCounts:
        """Add up the counts of runs side by side.

        Args:
            runs: Their counts.
        """

        def total(name: str) -> int:
            return sum(getattr(run, name) for run in runs)

        columns = sorted({column for run in runs for column in run.suspect_pii})
        streams: dict[str, StreamCounts] = {}
        for run in runs:
            for name, counts in run.streams.items():
                streams[name] = streams.get(name, StreamCounts()).plus(counts)
        return cls(
            received=total("received"),
            written=total("written"),
            duplicates=total("duplicates"),
            rejected=total("rejected"),
            rejected_by_reason=_sums([run.rejected_by_reason for run in runs]),
            extra_fields=total("extra_fields"),
            deleted=total("deleted"),
            delete_failures=total("delete_failures"),
            db_retries=total("db_retries"),
            invalid_values=total("invalid_values"),
            suspect_pii={column: sum(run.suspect_pii.get(column, 0) for run in runs) for column in columns},
            suppressed=total("suppressed"),
            left=total("left"),
            streams=dict(sorted(streams.items())),
            causes=_sums([run.causes for run in runs]),
        )

    def line(self, messages_per_second: float, oldest_message_seconds: float | None) -> str:
        """Return the counts in one line.

        Args:
            messages_per_second: The rate to show with them.
            oldest_message_seconds: About how old the oldest message of the queue is, if that is known.
        """
        parts = [
            f"received {self.received:,}",
            f"written {self.written:,}",
            f"duplicates {self.duplicates:,}",
            f"rejected {self.rejected:,}",
            f"deleted {self.deleted:,}",
            f"{messages_per_second:,.0f}/s",
        ]
        if oldest_message_seconds is not None:
            parts.append(f"oldest message {oldest_message_seconds:,.1f} s")
        if self.left:
            parts.append(f"left {self.left:,}")
        if self.db_retries:
            parts.append(f"database retries {self.db_retries:,}")
        return "  ".join(parts)

    def complaint(self) -> str | None:
        """Return a sentence that says why most messages were rejected, or None where most were not."""
        handled = self.written + self.rejected
        if not self.rejected or self.rejected < MAX_REJECTED_SHARE * handled:
            return None
        what = f"{self.rejected:,} of {handled:,} messages were rejected"
        if not self.causes:
            return what
        cause, count = max(self.causes.items(), key=lambda each: each[1])
        return f"{what}, {count:,} of them as {cause}"


def summary_table(counts: RunCounts, seconds: float) -> Table:
    """Return the summary of a run.

    Args:
        counts: Its counts.
        seconds: How long messages were being handled.
    """
    table = new_table("Summary", show_header=False)
    table.add_column("what")
    table.add_column("count", justify="right")
    rows: list[tuple[str, int]] = [
        ("received", counts.received),
        ("written", counts.written),
        ("duplicates", counts.duplicates),
        ("rejected", counts.rejected),
        *((f"  {reason}", count) for reason, count in counts.rejected_by_reason.items()),
        ("deleted", counts.deleted),
        *_rows_of_streams(counts.streams),
    ]
    optional = [
        ("suppressed (of persons erased)", counts.suppressed),
        ("unknown fields (ignored)", counts.extra_fields),
        ("values without a normal form (masked as they are)", counts.invalid_values),
        ("not deleted (they come back)", counts.delete_failures),
        ("left in the queue (times)", counts.left),
        ("database retries", counts.db_retries),
        *((f"like personal data, in clear: {column} (sampled)", count) for column, count in counts.suspect_pii.items()),
    ]
    for what, count in [*rows, *(row for row in optional if row[1])]:
        table.add_row(what, f"{count:,}")
    if seconds > 0:
        table.add_row("messages per second", f"{counts.received / seconds:,.0f}")
    return table


def _rows_of_streams(streams: Mapping[str, StreamCounts]) -> list[tuple[str, int]]:
    """Return the rows of each stream, where there are several."""
    if len(streams) < 2:
        return []
    return [
        row
        for name, counts in streams.items()
        for row in (
            (f"{_shown(name)}: written", counts.written),
            (f"{_shown(name)}: rejected", counts.rejected),
        )
    ]


def _shown(stream: str) -> str:
    return "no stream" if stream == NO_STREAM else stream


def _by_reason(counts: Mapping[str, int]) -> dict[str, int]:
    return {
        name.removeprefix(REJECTED_PREFIX): count
        for name, count in sorted(counts.items())
        if name.startswith(REJECTED_PREFIX)
    }


def _of_streams(counts: Mapping[str, int]) -> dict[str, StreamCounts]:
    by_stream: dict[str, Counts[str]] = {}
    for name, count in sorted(counts.items()):
        if name.startswith(STREAM_PREFIX):
            stream, _, counted = name.removeprefix(STREAM_PREFIX).partition(":")
            by_stream.setdefault(stream, Counts())[counted] = count
    return {
        stream: StreamCounts(found["written"], found["rejected"], _by_reason(found))
        for stream, found in by_stream.items()
    }


def _sums(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = sorted({name for each in counts for name in each})
    return {name: sum(each.get(name, 0) for each in counts) for name in names}
