"""What is shown of a run: its counts while it runs, and a summary at its end."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from rich.table import Table

_REJECTED_PREFIX = "rejected_"
_SUSPECT_PREFIX = "suspect_pii_"


class Tallied(Protocol):
    """What has counted a run: a `Tally`, or a cluster's own metrics."""

    def counts(self) -> Counts[str]:
        """Return all counts; a name never counted counts 0."""


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

    @classmethod
    def of(cls, tally: Tallied) -> RunCounts:
        """Read a tally."""
        counts = tally.counts()
        by_reason = {
            name.removeprefix(_REJECTED_PREFIX): count
            for name, count in sorted(counts.items())
            if name.startswith(_REJECTED_PREFIX)
        }
        return cls(
            received=counts["received"],
            written=counts["written"],
            duplicates=counts["duplicates"],
            rejected=counts["rejected"],
            rejected_by_reason=by_reason,
            extra_fields=counts["extra_fields"],
            deleted=counts["deleted"],
            delete_failures=counts["delete_failures"],
            db_retries=counts["db_retries"],
            invalid_values=counts["invalid_values"],
            suspect_pii={
                name.removeprefix(_SUSPECT_PREFIX): count
                for name, count in sorted(counts.items())
                if name.startswith(_SUSPECT_PREFIX)
            },
            suppressed=counts["suppressed"],
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
        reasons = sorted({reason for run in runs for reason in run.rejected_by_reason})
        return cls(
            received=total("received"),
            written=total("written"),
            duplicates=total("duplicates"),
            rejected=total("rejected"),
            rejected_by_reason={
                reason: sum(run.rejected_by_reason.get(reason, 0) for run in runs) for reason in reasons
            },
            extra_fields=total("extra_fields"),
            deleted=total("deleted"),
            delete_failures=total("delete_failures"),
            db_retries=total("db_retries"),
            invalid_values=total("invalid_values"),
            suspect_pii={column: sum(run.suspect_pii.get(column, 0) for run in runs) for column in columns},
            suppressed=total("suppressed"),
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
        if self.db_retries:
            parts.append(f"database retries {self.db_retries:,}")
        return "  ".join(parts)


def summary_table(counts: RunCounts, seconds: float) -> Table:
    """Return the summary of a run.

    Args:
        counts: Its counts.
        seconds: How long messages were being handled.
    """
    table = Table(title="Summary", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("count", justify="right")
    rows: list[tuple[str, int]] = [
        ("received", counts.received),
        ("written", counts.written),
        ("duplicates", counts.duplicates),
        ("rejected", counts.rejected),
        *((f"  {reason}", count) for reason, count in counts.rejected_by_reason.items()),
        ("deleted", counts.deleted),
    ]
    optional = [
        ("suppressed (of persons erased)", counts.suppressed),
        ("unknown fields (ignored)", counts.extra_fields),
        ("values without a normal form (masked as they are)", counts.invalid_values),
        ("not deleted (they come back)", counts.delete_failures),
        ("database retries", counts.db_retries),
        *((f"like personal data, in clear: {column} (sampled)", count) for column, count in counts.suspect_pii.items()),
    ]
    for what, count in [*rows, *(row for row in optional if row[1])]:
        table.add_row(what, f"{count:,}")
    if seconds > 0:
        table.add_row("messages per second", f"{counts.received / seconds:,.0f}")
    return table
