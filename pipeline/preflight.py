"""What is checked before the first message is taken: every part, and all problems at once."""

from __future__ import annotations

import functools
import json
import logging
import shlex
import threading
from collections.abc import Callable

import msgspec

from maskline.errors import DatabaseError, MasklineError, SetupError, UnavailableError
from maskline.keys import Keyset
from maskline.pipeline.agreement_check import disagreements
from maskline.pipeline.bounded_connection import bounded_connection
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.program import program_name
from maskline.pipeline.remedies import with_remedy
from maskline.plaintext import is_loopback
from maskline.postgres.connection import TlsState, tls_state
from maskline.postgres.revision import database_revision, revision_problems
from maskline.postgres.table_check import check_tables
from maskline.retry import log_retry, retrying
from maskline.sqs import SqsQueue
from maskline.sqs.encryption import KeyAnswer, ask_about_key, encryption_key
from maskline.streams.stream_set import Unmatched

FEW_RECEIVES = 3

ANSWER_SECONDS = 30.0
"""How long Postgres may take to answer all that it is asked here."""

logger = logging.getLogger(__name__)


class Finding(msgspec.Struct, frozen=True):
    """What a check found.

    Attributes:
        part: ``keyset``, ``hash_keyset``, ``queue`` or ``postgres``.
        text: What was found, in one sentence.
        is_problem: Whether the job cannot start with it.
        is_warning: Whether the job can start, and an operator should know.
        is_temporary: Whether the problem may pass by itself: a part does not answer.
    """

    part: str
    text: str
    is_problem: bool = False
    is_warning: bool = False
    is_temporary: bool = False


def preflight(job: JobSettings, *, is_starting: bool = False) -> list[Finding]:
    """Check every part of a job. No message is received.

    Args:
        job: The job.
        is_starting: Whether it starts when nothing is wrong: then its database is told what proves its keys.

    Returns:
        At least one finding a part that the job has.
    """
    opened = functools.cache(job.keyset.open)  # a KMS is asked once
    findings = [
        *_findings("keyset", lambda: _check_keyset(job, opened())),
        *_findings("hash_keyset", lambda: _check_hash_keyset(job)),
        *_findings("queue", lambda: _check_queue(job)),
        *_findings("postgres", lambda: _check_postgres(job)),
    ]
    if not any(finding.is_problem for finding in findings):
        findings += _findings("postgres", lambda: _check_agreement(job, opened(), is_starting))
    return findings


def _findings(part: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    """Return what a check found; where it raises, that is the problem it found."""
    try:
        return check()
    except MasklineError as error:
        text = with_remedy(error).removeprefix(part).lstrip(": ")
        return [Finding(part, text, is_problem=True, is_temporary=isinstance(error, UnavailableError))]


def raise_on_problems(findings: list[Finding]) -> None:
    """Raise where a finding is a problem.

    Raises:
        UnavailableError: All problems, a line each where there are several, and every one of them may pass by itself.
        SetupError: All problems, likewise.
    """
    problems = [finding for finding in findings if finding.is_problem]
    if not problems:
        return
    told = [f"{finding.part}: {finding.text}" for finding in problems]
    listed = f" {told[0]}" if len(told) == 1 else "".join(f"\n  {problem}" for problem in told)
    if all(finding.is_temporary for finding in problems):
        raise UnavailableError(f"the job cannot start now, and took no message:{listed}")
    raise SetupError(f"the job cannot start, and took no message:{listed}")


def preflight_with_retries(job: JobSettings, abandoned: threading.Event | None = None) -> list[Finding]:
    """Check every part of a job, and again for as long as all that is wrong may pass by itself.

    Args:
        job: The job; it says for how long.
        abandoned: When set, what is wrong is not tried again.

    Returns:
        What was found, none of it a problem.

    Raises:
        UnavailableError: What may pass by itself did not in `JobSettings.db_retry_seconds`.
        SetupError: What is wrong does not pass by itself.
    """

    def checked() -> list[Finding]:
        findings = preflight(job, is_starting=True)
        raise_on_problems(findings)
        return findings

    before_retry = log_retry(logger, "the check before the start")
    stopping = abandoned or threading.Event()
    found: list[Finding] = retrying(job.db_retry_seconds, stopping, before_retry, UnavailableError)(checked)
    return found


def _check_keyset(job: JobSettings, keyset: Keyset) -> list[Finding]:
    return [Finding("keyset", f"{job.keyset}: primary key {keyset.primary_key_id} encrypts and decrypts")]


def _check_hash_keyset(job: JobSettings) -> list[Finding]:
    if not job.stream.hashed_columns:
        return []
    if job.hash_keyset is None:
        columns = ", ".join(column.name for column in job.stream.hashed_columns)
        text = (
            f"missing; the stream {job.stream.name} hashes {columns}; give --hash_keyset, which "
            f"{program_name()} keys create --kind hash makes"
        )
        return [Finding("hash_keyset", text, is_problem=True)]
    return [Finding("hash_keyset", f"{job.hash_keyset}: key {job.hash_keyset.open_hash().key_id} hashes")]


def _check_queue(job: JobSettings) -> list[Finding]:
    queue = SqsQueue.open(job.queue)
    attributes = queue.attributes()
    queue.try_permissions()
    waiting = attributes.get("ApproximateNumberOfMessages", "0")
    policy = json.loads(attributes.get("RedrivePolicy", "{}"))
    receives = policy.get("maxReceiveCount")
    given_up = (
        f"given up to {str(policy.get('deadLetterTargetArn', '')).rpartition(':')[2]} after {receives} receives"
        if policy
        else "no dead-letter queue"
    )
    text = f"{job.queue}: readable, deletes and extends allowed, about {waiting} messages waiting, {given_up}"
    findings = [Finding("queue", text)]
    if receives is not None and int(receives) < FEW_RECEIVES:
        seconds = job.receive.visibility_timeout_seconds
        text = (
            f"{job.queue}: its redrive policy gives a message up after {receives} receives; a job that is killed with "
            f"messages in flight uses one up every {seconds} s, so allow {FEW_RECEIVES} or more"
        )
        findings.append(Finding("queue", text, is_warning=True))
    if policy and job.unmatched is Unmatched.LEAVE:
        text = (
            f"{job.queue}: a message that no stream takes uses a receive up each time that it is left there, and is "
            f"given up after {receives}; let the consumer that it is for be quicker, or allow more"
        )
        findings.append(Finding("queue", text, is_warning=True))
    return [*findings, *_check_encryption(job, attributes)]


def _check_encryption(job: JobSettings, attributes: dict[str, str]) -> list[Finding]:
    key = encryption_key(attributes)
    if key is None:
        return []
    text = f"{job.queue}: encrypted by the KMS key {key}"
    match ask_about_key(key, attributes.get("QueueArn", "")):
        case KeyAnswer.ALLOWED:
            return [Finding("queue", f"{text}, which these credentials may use")]
        case KeyAnswer.UNUSABLE:
            return [Finding("queue", f"{text}, which is not there any more, or not enabled", is_problem=True)]
        case KeyAnswer.DENIED:
            text += (
                ", which refuses them kms:Decrypt: no message can be received, unless their policy allows it through "
                f"SQS alone (kms:ViaService); the policy of the job: {program_name()} check --print_policy"
            )
            return [Finding("queue", text, is_warning=True)]
        case _:
            return [Finding("queue", f"{text}; receiving takes kms:Decrypt on it, which could not be tried here")]


def _check_agreement(job: JobSettings, keyset: Keyset, is_starting: bool) -> list[Finding]:
    problems, warnings = disagreements(job, keyset, enters_proofs=is_starting)
    return [
        *(Finding(part, text, is_problem=True) for part, text in problems),
        *(Finding(part, text, is_warning=True) for part, text in warnings),
    ]


def _check_postgres(job: JobSettings) -> list[Finding]:
    with bounded_connection(job.postgres, ANSWER_SECONDS, "its tables") as connection:
        tls = tls_finding(tls_state(connection))
        revision = database_revision(connection)
        problems = revision_problems(revision)
        if problems:
            run = f"run: {program_name()} migrate --postgres {shlex.quote(str(job.postgres))}"
            return [tls, *(Finding("postgres", f"{problem}; {run}", is_problem=True) for problem in problems)]
        reports = [(stream, check_tables(connection, stream)) for stream in job.streams]
    findings = [tls]
    findings += [
        Finding("postgres", problem, is_problem=True)
        for problem in dict.fromkeys(
            with_remedy(DatabaseError(problem, remedy=report.remedies.get(problem)))
            for _, report in reports
            for problem in report.problems
        )
    ]
    findings += [
        Finding("postgres", f"table {table} is ready (schema revision {revision})")
        for table in dict.fromkeys(stream.table for stream, report in reports if not report.problems)
    ]
    warnings = dict.fromkeys(warning for _, report in reports for warning in report.warnings)
    return [*findings, *(Finding("postgres", warning, is_warning=True) for warning in warnings)]


def tls_finding(state: TlsState) -> Finding:
    """Return the finding on who can read the traffic between job and database.

    Args:
        state: Of a connection to it.
    """
    if state.is_socket:
        return Finding("postgres", "connected by a Unix socket")
    if state.version is None:
        is_local = is_loopback(state.host)
        text = f"connected without TLS (sslmode={state.mode})"
        if not is_local:
            text += ": the network can read what is sent; give sslmode=verify-full, and --require_tls"
        return Finding("postgres", text, is_warning=not is_local)
    text = f"connected over {state.version} ({state.cipher}, sslmode={state.mode})"
    if state.is_verified or is_loopback(state.host):
        return Finding("postgres", text)
    return Finding(
        "postgres",
        f"{text}, to a server that need not be the one that was named: give sslmode=verify-full, and sslrootcert",
        is_warning=True,
    )
