"""Whether keyset, definition and database agree, so that new rows join with those that are there."""

from __future__ import annotations

from maskline.keys import Keyset
from maskline.pipeline.bounded_connection import bounded_connection
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.column_registry import compare_columns
from maskline.postgres.key_check import compare_keys
from maskline.postgres.key_registry import known_keys

ANSWER_SECONDS = 30.0
"""How long Postgres may take to answer all that it is asked here."""


def disagreements(job: JobSettings, keyset: Keyset) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Compare the keyset and the definition of a job with what its database knows of both.

    Args:
        job: The job, whose database answers.
        keyset: Its keyset, opened.

    Returns:
        Problems and warnings, each with the part that it is about.

    Raises:
        MasklineError: A part cannot be asked.
    """
    with bounded_connection(job.postgres, ANSWER_SECONDS, "its keys") as connection:
        keys = compare_keys(keyset, known_keys(connection))
        columns = [compare_columns(connection, stream) for stream in job.streams]
    problems = [text for comparison in columns for text in comparison.problems]
    warnings = [text for comparison in columns for text in comparison.warnings]
    return (
        [("keyset", text) for text in keys.problems] + [("postgres", text) for text in problems],
        [("keyset", text) for text in keys.warnings] + [("postgres", text) for text in warnings],
    )
