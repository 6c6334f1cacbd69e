"""Whether keyset, definition and database agree, so that new rows join with those that are there."""

from __future__ import annotations

from maskline.keys import Keyset
from maskline.pipeline.bounded_connection import bounded_connection
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.column_registry import compare_columns
from maskline.postgres.key_check import compare_keys
from maskline.postgres.key_proofs import enter_proofs, false_keys
from maskline.postgres.key_registry import known_keys

ANSWER_SECONDS = 30.0
"""How long Postgres may take to answer all that it is asked here."""


def disagreements(
    job: JobSettings, keyset: Keyset, *, enters_proofs: bool = False
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Compare the keyset and the definition of a job with what its database knows of both.

    Args:
        job: The job, whose database answers.
        keyset: Its keyset, opened.
        enters_proofs: Whether to enter the proofs of its keys where nothing disagrees, as a job does that is to start.

    Returns:
        Problems and warnings, each with the part that it is about.

    Raises:
        MasklineError: A part cannot be asked.
    """
    with bounded_connection(job.postgres, ANSWER_SECONDS, "its keys") as connection:
        keys = compare_keys(keyset, known_keys(connection))
        hash_keyset = job.hash_keyset.open_hash() if job.hash_keyset and job.stream.hashed_columns else None
        false, false_hashes = false_keys(connection, keyset, hash_keyset, job.streams)
        columns = [compare_columns(connection, stream) for stream in job.streams]
        problems = [text for comparison in columns for text in comparison.problems]
        if enters_proofs and not (keys.problems or false or false_hashes or problems):
            enter_proofs(connection, keyset, hash_keyset, job.streams)
            connection.commit()
    warnings = [text for comparison in columns for text in comparison.warnings]
    return (
        [("keyset", text) for text in keys.problems + false]
        + [("hash_keyset", text) for text in false_hashes]
        + [("postgres", text) for text in problems],
        [("keyset", text) for text in keys.warnings] + [("postgres", text) for text in warnings],
    )
